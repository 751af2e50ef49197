#include "policy/output.h"

#include <string.h>

#include "policy/glob.h"

const char *const output_names[] = {
	"node_modules",
	"target",
	"dist",
	"build",
	"out",
	".venv",
	"venv",
	"__pycache__",
	".next",
	".cache",
	"coverage",
	"htmlcov",
	".terraform",
	".pytest_cache",
	".mypy_cache",
	".ruff_cache",
	".tox",
	".gradle",
	".nyc_output",
	"*.pyc",
	"*.o",
	"*.log",
	".coverage",
	".coverage.*",
	"coverage.xml",
	".turbo",
	".parcel-cache",
	".nuxt",
	".output",
	".svelte-kit",
	".angular",
	".vite",
	".eggs",
	"*.egg-info",
	".nox",
	".hypothesis",
	".ipynb_checkpoints",
	"cmake-build-*",
	"CMakeFiles",
	"_build",
	"bazel-*",
	".dart_tool",
	".expo",
	".serverless",
	".aws-sam",
	"cdk.out",
	"test-results",
	"playwright-report",
	"storybook-static",
	".terragrunt-cache",
	".sass-cache",
	".jest",
	".swc",
	"*.pid",
	"*.tmp",
	"*.swp",
	"*.class",
	"*.pyo",
	"*.tsbuildinfo",
	"nohup.out",
	"a.out",
	".DS_Store",
};

const u32 output_names_count = ARRAY_SIZE(output_names);

const char *const workspace_output_names[] = { "tmp", "temp", "logs" };
const u32 workspace_output_names_count = ARRAY_SIZE(workspace_output_names);

/* Directories whose files come and go by the thousand. What is in .git has signatures of its own.
 */
static const char *const busy_names[] = {
	".git",
	".hg",
	".svn",
	".jj",
	"obj",
	"Debug",
	"Release",
	"vendor",
	"deps",
	"cache",
	"Cache",
	"Code Cache",
	"GPUCache",
	"CacheStorage",
	"site-packages",
	"dist-packages",
	"bower_components",
	"jspm_packages",
	"Pods",
	"DerivedData",
	"_cacache",
	"_npx",
	"_logs",
	".pnpm-store",
	".yarn",
	".npm",
	".m2",
	".ivy2",
	".sbt",
	".bloop",
	".metals",
	".nuget",
	".ccache",
	".sccache",
	".rustup",
	".nvm",
	".pyenv",
	".rbenv",
	".conda",
	"miniconda3",
	"anaconda3",
	"miniforge3",
	"mambaforge",
	".linuxbrew",
	".cargo",
	".bun",
	".deno",
	".nx",
	".wrangler",
	".docusaurus",
	".astro",
	".vercel",
	".netlify",
	".jekyll-cache",
	"_site",
	".stack-work",
	"dist-newstyle",
	"_opam",
	".zig-cache",
	"zig-cache",
	"zig-out",
	"nimcache",
	"cmake-build-debug",
	"cmake-build-release",
	"bazel-bin",
	"bazel-out",
	"builddir",
	".vscode-server",
	".cursor-server",
	"allure-results",
};

static const struct {
	const char *const *names;
	u32 count;
} lists[] = {
	{ output_names, ARRAY_SIZE(output_names) },
	{ workspace_output_names, ARRAY_SIZE(workspace_output_names) },
	{ busy_names, ARRAY_SIZE(busy_names) },
};

const char *output_directory(u32 i)
{
	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		for (u32 n = 0; n < lists[k].count; n++)
			if (!glob_has_wildcard(lists[k].names[n]) && i-- == 0)
				return lists[k].names[n];
	return NULL;
}

bool output_is_directory(const char *name)
{
	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		for (u32 n = 0; n < lists[k].count; n++)
			if (lists[k].names[n][0] == name[0] && strcmp(lists[k].names[n], name) == 0)
				return true;
	return false;
}
