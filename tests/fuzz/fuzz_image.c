/* Hostile images with a checksum that fits: refused, or safe to use. An input is a list of patches
 * (u32 offset, u32 value) to a good image; one that begins with the magic is the image itself. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/build.h"
#include "policy/destination.h"
#include "policy/image.h"
#include "policy/shellwords.h"

static const char pack[] =
	"pack: t\ntitle: T\nprograms:\n  git: {options: gnu, values: [-C, commit -m], flags: "
	"[-p]}\n"
	"  'py*': {options: go}\nsignatures:\n"
	"- id: a\n  command: ['git push --force={re:^x+$}', 'git x {path:/a/**} "
	"y={sql:destructive}']\n"
	"  severity: high\n  verdict: hold\n  why: It is.\n  instead: git push\n"
	"  hits: [git push --force=x, git push --force=xx]\n  misses: [git push, git]\n"
	"- id: b\n  command: 'py* {glob:*x} !-q (-a|--all)={path:precious}'\n  severity: low\n"
	"  verdict: deny\n  why: It is.\n  hits: [python x -a /, pypy ax -a /]\n"
	"  misses: [python a, git]\n"
	"- id: c\n  connect: ['10.0.0.0/8:(1|2-5)', 'tcp:remote:7', 'udp:[fd00::1]']\n"
	"  severity: low\n  verdict: hold\n  why: It is.\n  hits: ['10.0.0.1:3', '9.9.9.9:7']\n"
	"  misses: ['10.0.0.1:9', '127.0.0.1:7']\n"
	"- id: d\n  delete: [{path: ['*.db', '~/a/**/b?', '{precious}'], except: '**/x/*', "
	"how: [unlink, move],\n    by: '!(git clean|py*)', under: sh}, {burst: 3/2s, by: rm}, "
	"{other_name: true}]\n  severity: low\n  verdict: hold\n  why: It is.\n"
	"  hits: [unlink /a.db, unlink /root/a/b1]\n  misses: [unlink /b, rmdir /a.db]\n"
	"allow: [git push --force=y, {connect: 10.0.0.1:5}, {delete: {path: '/y/**', by: rm}}]\n";

static const char profile[] =
	"agent: a\ntitle: A\nnames: [demo, {name: amp, paths: [bin/amp]}]\nfiles: ['x/*']\n"
	"scripts: ['@demo/**/main.js', -m demo]\nhits: [demo]\nmisses: [x]\n";

static const char *const lines[] = {
	"git push --force=xx -p a",
	"git x /a/b y='drop table a'",
	"python3 x -all /etc",
	"git -C x commit -m y push",
	"ssh h git push --force=x",
	"git push --force=y",
	"git --unknown x push --for xx",
	"node /x/@demo/y/main.js",
	"python -mdemo",
	"/usr/bin/amp",
};

static struct strbuf good;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc _unused_, char ***argv _unused_)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct faults faults = { .out = &err };
	struct build_stats stats;
	struct pack packs, *pack_list = &packs;
	struct profile profiles, *profile_list = &profiles;
	struct library library = { &pack_list, &profile_list, 1, 1 };

	pack_read(&a, (struct source) { "p", pack, strlen(pack), &faults }, &packs);
	profile_read(&a, (struct source) { "a", profile, strlen(profile), &faults }, &profiles);
	if (build_image(&a, &library, &good, &stats) || faults.count) {
		fputs(strbuf_str(&err), stderr);
		abort();
	}
	return 0;
}

static void use_nets(const struct policy *p)
{
	static const char *const dests[] = { "10.0.0.1:3", "127.0.0.1:7", "udp:[fd00::1]:65535",
					     "10.0.0.1:5", "[::1]:7" };

	for (size_t i = 0; i < ARRAY_SIZE(dests); i++) {
		_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
		struct connection c;
		struct finding f;

		if (!connection_parse("d", dests[i], &c, &err))
			abort();
		policy_match_connect(p, &c, &f);
		if (f.id && strlen(f.id) + strlen(f.pack) > IMAGE_MAX)
			abort();
		policy_is_connect_candidate(p, &c);
	}
}

static void use_deletes(const struct policy *p)
{
	static const char *const paths[] = { "/a.db", "/root/a/x/b1", "/y/a.db",       "/",
					     "a//b",  "/x/x.db",      "/data/models/b" };
	static const char *const argv[] = { "python3", "git", "clean", NULL };
	static const char *const behind[] = { "sh", NULL };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct deletion d = {
			.op = BS_DELETE_UNLINK + i % (BS_DELETE_OPS - 1),
			.path = paths[i],
			.inner = i % 2 ? "/z/a.db" : NULL,
			.program = i % 3 ? "python3" : NULL,
			.argv = (char *const *)argv,
			.behind = behind,
			.home = "/x",
			.workspace = "/data",
			.protected_inode = i % 2,
			.burst = i % 4 == 1,
		};
		struct finding f;

		policy_match_delete(p, &d, &f);
		if (f.id && strlen(f.id) + strlen(f.pack) > IMAGE_MAX)
			abort();
		policy_is_delete_candidate(p, &d);
		policy_counts(p, &d);
	}
}

static void use_agents(const struct policy *p, const struct action *a)
{
	const char *agent = policy_match_agent(p, a), *title;

	policy_may_be_agent(p, a);
	if (agent && strlen(agent) > IMAGE_MAX)
		abort();
	for (u32 i = 0; i < 4 && policy_agent(p, i, &title); i++)
		if (strlen(title) > IMAGE_MAX)
			abort();
}

static void use(const struct policy *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct action a = { .cwd = "/x", .home = "/root", .root_fd = -1 };
		struct finding f;

		if (shellwords_split(lines[i], (char ***)&a.argv, NULL))
			abort();
		policy_match(p, &a, &f);
		if (f.id && strlen(f.id) + strlen(f.why) + strlen(f.pack) > IMAGE_MAX)
			abort();
		policy_is_candidate(p, &a);
		use_agents(p, &a);
		shellwords_free((char **)a.argv);
	}
	use_nets(p);
	use_deletes(p);
	for (u32 i = 0; i < policy_signature_count(p) && i < 16; i++)
		if (strlen(policy_title(p, i)) > IMAGE_MAX || policy_command(p, i, UINT32_MAX) ||
		    policy_destination(p, i, UINT32_MAX) || policy_deletion(p, i, UINT32_MAX))
			abort();
}

static void patch(struct strbuf *image, const uint8_t *data, size_t size)
{
	for (; size >= 8; size -= 8, data += 8) {
		u32 at, value;

		memcpy(&at, data, 4);
		memcpy(&value, data + 4, 4);
		memcpy(image->data + at % (image->len - 4), &value, 4);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT;
	struct image_header h;
	struct policy *p;

	if (size >= 8 && memcmp(data, IMAGE_MAGIC, 8) == 0) {
		strbuf_add(&image, data, size);
	} else {
		strbuf_add(&image, good.data, good.len);
		patch(&image, data, size);
	}
	if (image.len >= sizeof(h)) {
		memcpy(&h, image.data, sizeof(h));
		memcpy(h.magic, IMAGE_MAGIC, sizeof(h.magic));
		h.version = IMAGE_VERSION;
		h.size = (u32)image.len;
		memcpy(image.data, &h, sizeof(h));
		h.hash = image_hash(image.data, image.len);
		memcpy(image.data, &h, sizeof(h));
	}
	if (policy_from_memory(image.data, image.len, &p, &err) == 0) {
		use(p);
		policy_free(p);
	}
	return 0;
}
