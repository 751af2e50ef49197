#include "policy/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "policy/context.h"
#include "policy/search.h"

static const char *string(const struct policy *p, u32 offset)
{
	return offset == IMAGE_NONE ? NULL : p->image.strings + offset;
}

/* NULL behind the last. */
static const char **read_strings(const struct policy *p, const u32 *offsets, u32 count)
{
	const char **list = calloc(count + 1, sizeof(*list));

	for (u32 i = 0; list && i < count; i++)
		list[i] = string(p, offsets[i]);
	return list;
}

static int read_settings(struct policy *p)
{
	const struct image_settings *s = p->image.settings;

	p->settings = (struct settings) {
		.mode = (enum mode)s->mode,
		.when_down = (enum when_down)s->when_down,
		.hold_timeout = s->hold_timeout,
		.follow_agents = s->follow_agents,
		.notify = s->notify,
		.approvers = string(p, s->approvers),
		.pins = string(p, s->pins),
		.journal = { .segment_size = s->segment_size,
			     .keep = s->keep,
			     .segment_age = s->segment_age,
			     .fsync = (enum fsync_policy)s->fsync },
	};
	p->precious = read_strings(p, p->image.precious, p->image.precious_count);
	p->production = read_strings(p, p->image.production, p->image.production_count);
	return p->precious && p->production ? 0 : -ENOMEM;
}

int policy_approver(const struct policy *p, const u8 *key, struct approver *ret)
{
	for (u32 i = 0; i < p->image.approvers_count; i++) {
		const struct image_approver *a = &p->image.approvers[i];

		if (memcmp(a->key, key, APPROVER_KEY) != 0)
			continue;
		*ret = (struct approver) { string(p, a->name), a->key };
		return 0;
	}
	return -ENOENT;
}

static int open_data(void *data, size_t len, struct policy **ret, struct strbuf *err)
{
	struct policy *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	r = image_check(data, len, &p->image, err);
	if (!r)
		r = regexes_new(&p->image, &p->regexes);
	if (!r)
		r = read_settings(p);
	if (r) {
		regexes_free(p->regexes);
		free(p->precious);
		free(p->production);
		free(p);
		return r;
	}
	p->data = data;
	p->data_len = len;
	snprintf(p->version, sizeof(p->version), "%016llx",
		 (unsigned long long)p->image.header->hash);
	*ret = p;
	return 0;
}

int policy_from_memory(const void *image, size_t len, struct policy **ret, struct strbuf *err)
{
	_cleanup_free_ void *copy = malloc(len + 1);
	int r;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, image, len);
	r = open_data(copy, len, ret, err);
	if (!r)
		TAKE_PTR(copy);
	return r;
}

/* Whoever writes an image puts a new file in its place. */
static int map_file(const char *path, void **ret, size_t *ret_len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *data;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (S_ISREG(st.st_mode) && st.st_size == 0)
		return -EINVAL;
	if (!S_ISREG(st.st_mode) || st.st_size > IMAGE_MAX)
		return S_ISDIR(st.st_mode) ? -EISDIR : -EFBIG;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	*ret = data;
	*ret_len = (size_t)st.st_size;
	return 0;
}

static int open_file(const char *path, struct policy **ret, struct strbuf *err)
{
	size_t len = 0;
	void *data = NULL;
	int r = map_file(path, &data, &len);

	if (r)
		return r;
	r = open_data(data, len, ret, err);
	if (r)
		munmap(data, len);
	else
		(*ret)->mapped = true;
	return r;
}

int policy_open(const char *path, struct policy **ret, struct strbuf *err)
{
	_cleanup_strbuf_ struct strbuf reason = STRBUF_INIT;
	int r = open_file(path, ret, &reason);

	if (r == -ENOENT)
		strbuf_adds(&reason, "there is no such file");
	else if (r == -EINVAL && !reason.len)
		strbuf_adds(&reason, "this is no policy image");
	else if (r && !reason.len)
		strbuf_adds(&reason, strerror(-r));
	if (r)
		strbuf_addf(err,
			    "policy %s: %s; make one with 'backstop policy compile --output FILE "
			    "DIRECTORY'",
			    path, strbuf_str(&reason));
	return r;
}

void policy_free(struct policy *p)
{
	if (!p)
		return;
	regexes_free(p->regexes);
	free(p->precious);
	free(p->production);
	if (p->mapped)
		munmap(p->data, p->data_len);
	else
		free(p->data);
	free(p);
}

void policy_spare_scan(const struct policy *p)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = (uintptr_t)p->image.scan.filter;
	uintptr_t end = (uintptr_t)(p->image.scan.rules + p->image.scan.rules_count);

	start = (start + page - 1) / page * page;
	end = end / page * page;
	if (!p->mapped || start >= end)
		return;
	munlock((void *)start, end - start);
	madvise((void *)start, end - start, MADV_DONTNEED);
}

void policy_signature(const struct policy *p, u32 i, struct finding *ret)
{
	const struct image_signature *s = &p->image.signatures[i];

	*ret = (struct finding) {
		.verdict = (enum verdict)s->verdict,
		.severity = (enum severity)s->severity,
		.pack = string(p, p->image.packs[s->pack].name),
		.id = string(p, s->id),
		.why = string(p, s->why),
		.instead = string(p, s->instead),
		.technique = string(p, s->attack),
		.signature = i,
	};
}

/* What nobody has judged whole is not allowed, whatever was found in it so far. */
static const struct finding too_long = {
	.verdict = VERDICT_HOLD,
	.severity = SEVERITY_HIGH,
	.pack = "self",
	.id = "too-long",
	.why = "It takes too long to be judged: nobody knows what it does.",
	.instead = "do it in several smaller steps",
	.technique = "T1027",
	.signature = IMAGE_NONE,
};

void policy_too_long(struct finding *ret)
{
	*ret = too_long;
}

static bool holds(const struct policy *p, const struct action *a, const struct search_result *found)
{
	return found->line != IMAGE_NONE &&
	       search_verdict(p, a->project, p->image.lines[found->line].signature) >= VERDICT_HOLD;
}

void policy_match(const struct policy *p, const struct action *a, struct finding *ret)
{
	struct search_result found;

	search_action(p, a, IMAGE_NONE, &found);
	if (found.too_long && !holds(p, a, &found) && policy_is_candidate(p, a)) {
		policy_too_long(ret);
		return;
	}
	if (found.line != IMAGE_NONE) {
		policy_signature(p, p->image.lines[found.line].signature, ret);
		ret->verdict = search_verdict(p, a->project, ret->signature);
		ret->carrier = found.carrier;
		ret->started = found.started;
		ret->production = found.production;
		if (found.production)
			ret->severity = MIN(ret->severity + 1, SEVERITY_CRITICAL);
		if (a->context && a->context->words.len)
			ret->context = strbuf_str(&a->context->words);
		return;
	}
	*ret = (struct finding) { .verdict = VERDICT_ALLOW, .signature = IMAGE_NONE };
	if (found.allowed != IMAGE_NONE)
		ret->pack = string(p, p->image.packs[p->image.lines[found.allowed].pack].name);
}

const struct scan_tables *policy_scan_tables(const struct policy *p)
{
	return &p->image.scan;
}

u32 policy_signature_count(const struct policy *p)
{
	return p->image.signatures_count;
}

const char *policy_command(const struct policy *p, u32 signature, u32 n)
{
	for (u32 i = 0; i < p->image.lines_count; i++)
		if (p->image.lines[i].signature == signature && n-- == 0)
			return string(p, p->image.lines[i].text);
	return NULL;
}

const char *policy_title(const struct policy *p, u32 signature)
{
	return string(p, p->image.packs[p->image.signatures[signature].pack].title);
}

const char *policy_version(const struct policy *p)
{
	return p->version;
}

const struct settings *policy_settings(const struct policy *p)
{
	return &p->settings;
}

/* Is the file as it was? */
static bool is_unchanged(const struct policy *p, const struct image_source *s)
{
	struct stat st;

	if (stat(string(p, s->path), &st))
		return s->mtime == 0;
	return s->mtime == io_mtime(&st) && s->size == (u64)st.st_size;
}

int policy_fresh(const char *image, const char *settings)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	_cleanup_(policy_free_ptr) struct policy *p = NULL;
	int r = policy_open(image, &p, &err);

	if (r == -EINVAL || r == -ESTALE || r == -ENOENT)
		return 0;
	if (r)
		return r;
	if (!p->image.sources_count || strcmp(string(p, p->image.sources[0].path), settings) != 0)
		return 0;
	for (u32 i = 0; i < p->image.sources_count; i++)
		if (!is_unchanged(p, &p->image.sources[i]))
			return 0;
	return 1;
}

const char *policy_source(const struct policy *p, u32 i)
{
	return i < p->image.sources_count ? string(p, p->image.sources[i].path) : NULL;
}

int policy_find(const char *option, char **ret)
{
	static const char *const places[] = { "policy.image", "../share/backstop/policy.image" };
	_cleanup_free_ char *dir = NULL;
	char *path = NULL;

	if (option) {
		path = strdup(option);
	} else {
		dir = io_exe_dir();
		if (!dir)
			return -errno;
		for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
			free(path);
			path = NULL;
			if (asprintf(&path, "%s/%s", dir, places[i]) < 0)
				return -ENOMEM;
			if (access(path, F_OK) == 0)
				break;
		}
	}
	if (!path)
		return -ENOMEM;
	*ret = path;
	return 0;
}
