/* What the settings say of the journal, and of where events are brought. */
#ifndef POLICY_SETTINGS_RECORD_H
#define POLICY_SETTINGS_RECORD_H

#include "policy/settings.h"
#include "policy/yaml.h"

#define MAX_SECONDS (24U * 60 * 60)

/* Digits and s, m or h, at most a day, in seconds; 0 where it is none. */
unsigned int settings_duration(const char *text);

void settings_read_journal(struct yaml_reader *r, struct yaml v, struct settings_file *s);
void settings_read_exports(struct yaml_reader *r, struct yaml v, struct settings_file *s);

#endif
