/* Agents: which exec starts one. */
#include <string.h>

#include "policy/carrier.h"
#include "policy/glob.h"
#include "policy/paths.h"
#include "policy/search.h"

#define MAX_PATHS 7

/* An exec by what may tell an agent. */
struct start {
	const struct image *image;
	struct paths paths;
	struct command_view view; /* of what an interpreter runs */
	const char *file;	  /* NULL: not known */
	const char *names[4];
	const char *places[MAX_PATHS]; /* as written, and with links followed */
	u32 names_count, places_count;
	bool interpreted;
	char followed[3][PATHS_MAX];
	u32 followed_count;
	const char *script; /* its links followed; NULL: not known */
};

static const char *string(const struct start *s, u32 offset)
{
	return s->image->strings + offset;
}

/* Does the glob match the path, or from some component of it on? */
static bool path_matches(const char *glob, const char *path)
{
	if (glob[0] == '/')
		return glob_match_path(glob, path);
	for (const char *p = path; p; p = strchr(p, '/')) {
		p += p != path || *p == '/';
		if (glob_match_path(glob, p))
			return true;
	}
	return false;
}

static bool any_path_matches(const struct start *s, const char *glob)
{
	for (u32 i = 0; i < s->places_count; i++)
		if (path_matches(glob, s->places[i]))
			return true;
	return false;
}

static bool name_matches(const struct start *s, const struct image_agent_mark *m)
{
	bool found = false;

	for (u32 i = 0; i < s->names_count && !found; i++)
		found = glob_match(string(s, m->text), s->names[i], false);
	return found && (m->path == IMAGE_NONE || any_path_matches(s, string(s, m->path)));
}

static bool script_matches(const struct start *s, const char *glob)
{
	return s->interpreted && s->view.script &&
	       (path_matches(glob, s->view.script) || (s->script && path_matches(glob, s->script)));
}

static bool mark_matches(const struct start *s, const struct image_agent_mark *m)
{
	const char *text = string(s, m->text);

	switch ((enum agent_mark_kind)m->kind) {
	case MARK_NAME:
		return name_matches(s, m);
	case MARK_FILE:
		return s->file && path_matches(text, s->file);
	case MARK_SCRIPT:
		return script_matches(s, text);
	case MARK_MODULE:
		return s->interpreted && !s->view.script &&
		       glob_match(text, s->view.names[0], false);
	case MARK_COUNT:
		break;
	}
	return false;
}

/* One name of what starts, and where it is. The path with its links followed, or NULL. */
static const char *add_path(struct start *s, const char *path)
{
	char *followed = s->followed[s->followed_count];

	s->names[s->names_count++] = carrier_base_name(path);
	if (!strchr(path, '/'))
		return NULL;
	s->places[s->places_count++] = path;
	if (s->paths.root_fd < 0 || !paths_follow(&s->paths, path, followed))
		return NULL;
	s->followed_count++;
	s->places[s->places_count++] = followed;
	return followed;
}

/* What runs a script is known by the names of its file and of argv[0]. */
static void find_script(struct start *s, const struct action *a)
{
	const char *const runners[] = { carrier_base_name(a->path ? a->path : ""),
					carrier_base_name(a->argv[0]) };
	u32 count = 0;

	while (a->argv[count])
		count++;
	for (size_t i = 0; i < ARRAY_SIZE(runners) && !s->interpreted; i++)
		s->interpreted = !carrier_is_multicall(runners[i]) &&
				 carrier_local(runners[i], a->argv + 1, count - 1, &s->view) &&
				 s->view.names_count;
}

static void start_read(struct start *s, const struct policy *p, const struct action *a)
{
	s->image = &p->image;
	s->file = a->path;
	s->script = NULL;
	s->interpreted = false;
	s->names_count = s->places_count = s->followed_count = 0;
	paths_init(&s->paths, a->cwd, a->home, NULL, a->root_fd);
	add_path(s, a->argv[0]);
	if (a->name)
		add_path(s, a->name);
	if (a->path) {
		s->names[s->names_count++] = carrier_base_name(a->path);
		s->places[s->places_count++] = a->path;
	}
	find_script(s, a);
	if (s->interpreted && s->view.script)
		s->script = add_path(s, s->view.script);
}

u32 agent_find(const struct policy *p, const struct action *a)
{
	struct start s;

	if (!a->argv[0] || !p->image.agent_marks_count)
		return IMAGE_NONE;
	start_read(&s, p, a);
	for (u32 i = 0; i < p->image.agent_marks_count; i++)
		if (mark_matches(&s, &p->image.agent_marks[i]))
			return i;
	return IMAGE_NONE;
}

const char *policy_match_agent(const struct policy *p, const struct action *a)
{
	u32 mark = agent_find(p, a);

	if (mark == IMAGE_NONE)
		return NULL;
	return p->image.strings + p->image.agents[p->image.agent_marks[mark].agent].id;
}

const struct agent_key *policy_agent_keys(const struct policy *p, u32 *ret_count)
{
	*ret_count = p->image.agent_keys_count;
	return p->image.agent_keys;
}

bool policy_may_be_agent(const struct policy *p, const struct action *a)
{
	const char *name = carrier_base_name(a->name ? a->name : a->argv[0]);
	u64 key = 0;

	memcpy(&key, name, strnlen(name, sizeof(key)));
	for (u32 i = 0; i < p->image.agent_keys_count; i++)
		if (p->image.agent_keys[i].name == key)
			return p->image.agent_keys[i].how == BS_AGENT_ASK ||
			       policy_is_candidate(p, a);
	return false;
}

const char *policy_agent(const struct policy *p, u32 i, const char **ret_title)
{
	const struct image *im = &p->image;

	if (i >= im->agents_count)
		return NULL;
	*ret_title = im->strings + im->agents[i].title;
	return im->strings + im->agents[i].id;
}
