#include "policy/runner.h"

#include <string.h>

/* The first that fits counts. Options that no list has are taken for flags, and only those before
 * the command matter. */
const struct runner runners[] = {
	/* packages of JavaScript */
	{ .line = "npx",
	  .values = { "pw",
		      "--package --workspace --registry --cache --userconfig --prefix "
		      "--node-options --node-arg --shell",
		      false },
	  .text = "-c --call",
	  .package = true },
	{ .line = "npm exec",
	  .values = { "pw", "--package --workspace --registry --cache --prefix --userconfig",
		      false },
	  .text = "-c --call",
	  .package = true },
	{ .line = "npm x",
	  .values = { "pw", "--package --workspace --registry --cache --prefix --userconfig",
		      false },
	  .text = "-c --call",
	  .package = true },
	{ .line = "pnpx", .values = { "p", "--package", false }, .package = true },
	{ .line = "pnpm dlx",
	  .values = { "FC", "--package --filter --dir --reporter", false },
	  .text = "-c --shell-mode",
	  .package = true },
	{ .line = "pnpm exec",
	  .values = { "FC", "--filter --dir --reporter", false },
	  .text = "-c --shell-mode" },
	{ .line = "pnpm",
	  .values = { "FC", "--filter --dir --reporter", false },
	  .own = "add install i update up upgrade remove rm uninstall un unlink link ln import "
		 "rebuild rb prune fetch patch patch-commit patch-remove audit list ls outdated "
		 "why licenses run run-script test t start stop restart publish pack root store "
		 "config c init deploy env setup dedupe create server bin doctor recursive multi "
		 "m install-test it ci approve-builds self-update help version cache" },
	{ .line = "yarn dlx", .values = { "p", "--package --cwd", false }, .package = true },
	{ .line = "yarn exec", .values = { "", "--cwd", false } },
	{ .line = "yarn run", .values = { "", "--cwd", false } },
	{ .line = "yarn workspace * run", .values = { "", "--cwd", false } },
	{ .line = "yarn workspace *", .values = { "", "--cwd", false }, .program = "yarn" },
	{ .line = "yarn workspaces foreach",
	  .values = { "j", "--include --exclude --from --jobs --since --cwd", false },
	  .program = "yarn" },
	{ .line = "yarn",
	  .values = { "", "--cwd", false },
	  .own = "add audit autoclean bin cache check config constraints create dedupe explain "
		 "generate-lock-entry global help import info init install licenses link list "
		 "login logout npm outdated owner pack patch patch-commit plugin policies "
		 "publish rebuild remove search set stage tag team test unlink unplug up upgrade "
		 "upgrade-interactive version versions why workspace workspaces" },
	{ .line = "bunx", .values = { "p", "--package", false }, .package = true },
	{ .line = "bun x", .values = { "p", "--package", false }, .package = true },
	{ .line = "deno run",
	  .values = { "cL", "--config --import-map --log-level --lock --seed --location --cert",
		      false },
	  .package = true },
	{ .line = "lerna exec", .values = { "", "--scope --ignore --concurrency", false } },
	{ .line = "corepack" },
	{ .line = "cross-env", .assignments = true },
	{ .line = "env-cmd", .values = { "fer", "--file --environments --rc-file", false } },
	{ .line = "volta run",
	  .values = { "", "--node --npm --pnpm --yarn --env", false },
	  .assignments = true },
	{ .line = "fnm exec", .values = { "", "--using", false } },
	/* packages of Python */
	{ .line = "uvx",
	  .values = { "pw",
		      "--from --with --with-editable --with-requirements --python --index "
		      "--index-url --extra-index-url --env-file --directory --cache-dir",
		      false },
	  .package = true },
	{ .line = "uv tool run",
	  .values = { "pw",
		      "--from --with --with-editable --with-requirements --python --index "
		      "--index-url --extra-index-url --env-file --directory --cache-dir",
		      false },
	  .package = true },
	{ .line = "uv run",
	  .values = { "pw",
		      "--with --with-editable --with-requirements --python --index --index-url "
		      "--extra-index-url --env-file --directory --project --package --extra "
		      "--group --only-group --no-group --no-extra --cache-dir --config-file",
		      false } },
	{ .line = "pipx run",
	  .values = { "", "--spec --python --pip-args --index-url", false },
	  .package = true },
	{ .line = "poetry run", .values = { "CP", "--directory --project", false } },
	{ .line = "pipenv run", .values = { "", "--python", false } },
	{ .line = "hatch run", .values = { "e", "--env --data-dir --cache-dir --config", false } },
	{ .line = "pdm run", .values = { "pc", "--project --config --venv", false } },
	{ .line = "rye run", .values = { "", "--pyproject", false } },
	{ .line = "pixi run", .values = { "e", "--environment --manifest-path", false } },
	{ .line = "conda run", .values = { "np", "--name --prefix --cwd", false } },
	{ .line = "mamba run", .values = { "np", "--name --prefix --cwd", false } },
	{ .line = "micromamba run", .values = { "nprae", "--name --prefix --cwd", false } },
	{ .line = "tox exec", .values = { "e", NULL, false }, .dashes = true },
	{ .line = "pyenv exec" },
	/* other languages */
	{ .line = "bundle exec", .values = { "", "--gemfile", false } },
	{ .line = "rbenv exec" },
	{ .line = "dotnet tool run" },
	{ .line = "dnx", .package = true },
	{ .line = "sail" },
	{ .line = "foreman run", .values = { "ef", "--env --procfile", false } },
	{ .line = "honcho run", .values = { "ef", "--env --procfile", false } },
	/* versions, environments, secrets */
	{ .line = "mise exec",
	  .values = { "jCE", "--jobs --cd --env", false },
	  .text = "-c --command",
	  .dashes = true },
	{ .line = "mise x",
	  .values = { "jCE", "--jobs --cd --env", false },
	  .text = "-c --command",
	  .dashes = true },
	{ .line = "asdf exec" },
	{ .line = "direnv exec", .operands = 1 },
	{ .line = "dotenv run", .values = { "fe", "--file --export", false } },
	{ .line = "dotenv", .values = { "efv", "--file", false } },
	{ .line = "dotenvx run",
	  .values = { "fe", "--env-file --env --env-vault-file --env-keys-file", false } },
	{ .line = "doppler run",
	  .values = { "pct",
		      "--project --config --token --fallback --mount --mount-format "
		      "--mount-template --name-transformer --scope --only-secrets",
		      false },
	  .text = "--command" },
	{ .line = "op run", .values = { "", "--env-file --account --config", false } },
	{ .line = "infisical run",
	  .values = { "",
		      "--env --path --projectId --token --tags --domain "
		      "--project-config-dir",
		      false },
	  .text = "-c --command" },
	{ .line = "teller run", .values = { "c", "--config", false } },
	{ .line = "aws-vault exec",
	  .values = { "dt", "--duration --mfa-token --region --backend --prompt", false },
	  .operands = 1 },
	{ .line = "aws-okta exec", .operands = 1 },
	{ .line = "saml2aws exec", .values = { "ap", "--idp-account --profile", false } },
	{ .line = "chamber exec", .dashes = true },
	{ .line = "envchain", .operands = 1 },
	{ .line = "sops exec-env", .operands = 1 },
	{ .line = "nix-shell",
	  .values = { "pPAI", "--arg --argstr --attr", false },
	  .text = "--run --command",
	  .dashes = true },
	{ .line = "devbox run", .values = { "ce", "--config --env --env-file", false } },
	{ .line = "terragrunt exec", .dashes = true },
	{ .line = "railway run", .values = { "se", "--service --environment", false } },
	{ .line = "heroku local:run", .values = { "ep", "--env --port", false } },
	{ .line = "netlify dev:exec", .values = { "", "--context", false } },
	{ .line = "sst shell", .values = { "", "--stage --target --config", false } },
	/* the same program under another one */
	{ .line = "k3s kubectl", .program = "kubectl" },
	{ .line = "k0s kubectl", .program = "kubectl" },
	{ .line = "rke2 kubectl", .program = "kubectl" },
	{ .line = "microk8s kubectl", .program = "kubectl" },
	{ .line = "microk8s helm", .program = "helm" },
	{ .line = "minikube kubectl", .values = { "p", "--profile", false }, .program = "kubectl" },
	{ .line = "rancher kubectl", .program = "kubectl" },
	/* elsewhere */
	{ .line = "heroku run",
	  .values = { "aresx", "--app --remote --env --size --type", false },
	  .remote = true },
	{ .line = "heroku run:detached",
	  .values = { "aresx", "--app --remote --env --size --type", false },
	  .remote = true },
	{ .line = "fly ssh console", .text = "-C --command", .dashes = true, .remote = true },
	{ .line = "flyctl ssh console", .text = "-C --command", .dashes = true, .remote = true },
	{ .line = "gcloud compute ssh",
	  .values = { "", "--project --zone --account --configuration", false },
	  .text = "--command",
	  .dashes = true,
	  .remote = true },
	{ .line = "az vm run-command invoke", .text = "--scripts", .dashes = true, .remote = true },
	{ .line = "az containerapp exec", .text = "--command", .dashes = true, .remote = true },
	{ .line = "az container exec", .text = "--exec-command", .dashes = true, .remote = true },
	{ .line = "aws ecs execute-command",
	  .values = { "", "--profile --region --output --endpoint-url --query", false },
	  .text = "--command",
	  .dashes = true,
	  .remote = true },
	{ .line = "kamal app exec",
	  .values = { "dvhrc",
		      "--destination --version --hosts --roles --config-file --env --primary",
		      false },
	  .remote = true },
	{ .line = "kamal server exec",
	  .values = { "dhrc", "--destination --hosts --roles --config-file", false },
	  .remote = true },
	{ .line = "dokku run",
	  .values = { "e", "--env --ttl-seconds", false },
	  .operands = 1,
	  .remote = true },
	{ .line = "dokku enter", .operands = 2, .remote = true },
	{ .line = "vagrant ssh", .text = "-c --command", .dashes = true, .remote = true },
	{ .line = "railway ssh",
	  .values = { "psed", "--project --service --environment", false },
	  .remote = true },
	{ .line = "doctl compute ssh", .text = "--ssh-command", .dashes = true, .remote = true },
	{ .line = "cf ssh", .text = "-c --command", .dashes = true, .remote = true },
	{ .line = "eb ssh", .text = "-c --command", .dashes = true, .remote = true },
	{ .line = "lando ssh", .text = "-c --command", .dashes = true, .remote = true },
	{ .line = "copilot svc exec", .text = "-c --command", .dashes = true, .remote = true },
	{ .line = "salt * cmd.run",
	  .values = { "tb", "--timeout --batch-size", false },
	  .remote = true },
	{ .line = "salt-call cmd.run", .remote = true },
	{ .line = "ansible", .text = "-a --args", .dashes = true, .remote = true },
	{ .line = "pssh",
	  .values = { "hHlpoetOx",
		      "--hosts --host --user --par --outdir --errdir --timeout --option", false },
	  .remote = true },
	{ .line = "parallel-ssh",
	  .values = { "hHlpoetOx",
		      "--hosts --host --user --par --outdir --errdir --timeout --option", false },
	  .remote = true },
	{ .line = "pdsh", .values = { "wxglftuR", NULL, false }, .remote = true },
	{ .line = "clush",
	  .values = { "wxgXlftu", "--worker --hostfile --user --fanout", false },
	  .remote = true },
	{ .line = "tsh ssh",
	  .values = { "lp", "--login --proxy --port --cluster --user", false },
	  .operands = 1,
	  .remote = true },
	{ .line = "incus exec",
	  .values = { "", "--cwd --env --group --user --mode --project", false },
	  .operands = 1,
	  .remote = true,
	  .exec = true },
	{ .line = "lxc exec",
	  .values = { "", "--cwd --env --group --user --mode --project", false },
	  .operands = 1,
	  .remote = true,
	  .exec = true },
	{ .line = "multipass exec",
	  .values = { "d", "--working-directory", false },
	  .operands = 1,
	  .remote = true,
	  .exec = true },
	{ .line = "limactl shell",
	  .values = { "", "--workdir --shell", false },
	  .operands = 1,
	  .remote = true,
	  .exec = true },
	{ .line = "colima ssh", .values = { "p", "--profile", false }, .remote = true },
	{ .line = "minikube ssh", .values = { "np", "--node --profile", false }, .remote = true },
	{ .line = "crictl exec",
	  .values = { "r", "--timeout --runtime-endpoint", false },
	  .operands = 1,
	  .remote = true,
	  .exec = true },
	{ .line = "ctr t exec",
	  .values = { "n", "--exec-id --cwd --user --namespace", false },
	  .operands = 1,
	  .remote = true,
	  .exec = true },
	{ .line = "ctr task exec",
	  .values = { "n", "--exec-id --cwd --user --namespace", false },
	  .operands = 1,
	  .remote = true,
	  .exec = true },
	{ .line = "toolbox run",
	  .values = { "cdr", "--container --distro --release", false },
	  .remote = true,
	  .exec = true },
	{ .line = "distrobox enter", .dashes = true, .remote = true, .exec = true },
	{ .line = "distrobox-host-exec", .remote = true, .exec = true },
	{ .line = "flatpak-spawn", .remote = true, .exec = true },
	{ .line = "host-spawn", .remote = true, .exec = true },
	{ .line = "machinectl shell", .operands = 1, .remote = true, .exec = true },
	{ .line = "nomad alloc exec",
	  .values = { "", "-task --task -group --group -namespace --namespace -e", false },
	  .operands = 1,
	  .remote = true,
	  .exec = true },
};
const u32 runners_count = ARRAY_SIZE(runners);

/* Takes the next word off a line with blanks between them. */
static size_t next_word(const char **line)
{
	*line += strspn(*line, " ");
	return strcspn(*line, " ");
}

/* The index behind the words of the runner's line; count + 1 where they are not there. */
static u32 pass_line(const struct runner *r, const char *name, char *const *words, u32 count)
{
	const char *line = r->line;
	size_t len = next_word(&line);
	u32 at = 0;

	if (strlen(name) != len || strncmp(line, name, len) != 0)
		return count + 1;
	for (line += len; (len = next_word(&line)); line += len, at++) {
		at = grammar_skip_options(&r->values, words, count, at);
		if (at >= count || (*line != '*' && (strlen(words[at]) != len ||
						     strncmp(line, words[at], len) != 0)))
			return count + 1;
	}
	return at;
}

/* The shell text that an option in the words from `at` to `end` has. */
static const char *find_text(const struct runner *r, char *const *words, u32 at, u32 end, u32 count)
{
	for (; at < end && strcmp(words[at], "--") != 0; at++) {
		size_t len = strcspn(words[at], "=");

		if (words[at][0] != '-' || !grammar_lists(r->text, words[at], len))
			continue;
		if (words[at][len])
			return words[at] + len + 1;
		return at + 1 < count ? words[at + 1] : NULL;
	}
	return NULL;
}

/* The index of the command among the words from `at` on. */
static u32 find_command(const struct runner *r, char *const *words, u32 count, u32 at)
{
	/* without options of its own, those that follow are another program's */
	if (r->program && !r->values.letters)
		return at + (at < count && strcmp(words[at], "--") == 0);
	if (r->dashes) {
		while (at < count && strcmp(words[at], "--") != 0)
			at++;
		return MIN(at + 1, count);
	}
	at = grammar_skip_options(&r->values, words, count, at);
	for (u32 i = 0; i < r->operands; i++)
		at = grammar_skip_options(&r->values, words, count, MIN(at + 1, count));
	while (r->assignments && at < count && strchr(words[at], '='))
		at++;
	return at;
}

/* The name of what a package has: PACKAGE of [npm:][@SCOPE/]PACKAGE[@VERSION]. */
static void take_package(struct runner_view *v)
{
	const char *slash = strrchr(v->name, '/');
	const char *name = slash ? slash + 1 : v->name;
	size_t len;

	if (strncmp(name, "npm:", 4) == 0)
		name += 4;
	len = strcspn(name, "@=<>~![");
	if (len && len < sizeof(v->package) && (name[len] || name != v->name)) {
		memcpy(v->package, name, len);
		v->package[len] = '\0';
	}
}

static bool view(const struct runner *r, char *const *words, u32 count, u32 at,
		 struct runner_view *ret)
{
	u32 command = find_command(r, words, count, at);

	ret->runner = r;
	ret->name = r->program;
	ret->package[0] = '\0';
	ret->text = r->text ? find_text(r, words, at, r->remote ? count : command, count) : NULL;
	if (ret->text)
		ret->name = NULL;
	ret->words = words + command;
	ret->count = count - command;
	if (ret->text || r->remote || r->program)
		return ret->text || ret->count;
	if (!ret->count || grammar_lists(r->own, ret->words[0], strlen(ret->words[0])))
		return false;
	if (strchr(ret->words[0], ' ')) {
		ret->text = ret->words[0];
		return true;
	}
	ret->name = *ret->words++;
	ret->count--;
	if (!r->package)
		return true;
	take_package(ret);
	if (ret->count && strcmp(ret->words[0], "--") == 0) {
		ret->words++;
		ret->count--;
	}
	return true;
}

bool runner_read(const char *name, char *const *words, u32 count, struct runner_view *ret)
{
	for (u32 i = 0; i < runners_count; i++) {
		u32 at = pass_line(&runners[i], name, words, count);

		if (at <= count)
			return view(&runners[i], words, count, at, ret);
	}
	return false;
}
