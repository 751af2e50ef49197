/* The owner's settings as their file states them. All memory is in the arena. */
#ifndef POLICY_SETTINGS_H
#define POLICY_SETTINGS_H

#include "policy/build.h"

#define SETTINGS_PACK "settings" /* the pack that the owner's allow rules are in */

struct verdict_change {
	struct text name; /* PACK.ID or PACK.* */
	int verdict;	  /* enum verdict, or VERDICT_OFF */
};
#define VERDICT_OFF VERDICT_ALLOW

struct name_list {
	struct text *names;
	size_t names_count;
};

enum preset { PRESET_STANDARD, PRESET_STRICT, PRESET_READ_ONLY, PRESET_COUNT };

struct settings_file {
	struct settings values;
	enum preset preset;
	struct name_list packs_off, packs_from, agents_off, agents_from, precious, production;
	struct approver *approvers;
	size_t approvers_count;
	struct text *exports; /* specs of sinks, at the spots of their to: */
	size_t exports_count;
	bool packs_given, agents_given; /* from: stands there, perhaps empty */
	struct verdict_change *verdicts;
	size_t verdicts_count;
	struct pack allow; /* and the source of all */
};

extern const struct settings settings_defaults;

/* Faults go to src.faults. */
void settings_read(struct arena *a, struct source src, struct settings_file *ret);
/* What the settings say of packs, profiles and verdicts is done to the library. Faults where it has
 * no such name. */
void settings_apply(struct arena *a, struct settings_file *s, struct library *library);

/* Writes those of the library, and the globs, approvers and stamps beside them. */
struct library;
struct writer;
void settings_write(struct writer *w, const struct library *l);

#endif
