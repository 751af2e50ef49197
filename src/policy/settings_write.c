/* Settings and what stands beside them, into the image. */
#include <string.h>

#include "policy/build.h"
#include "policy/image.h"
#include "policy/settings.h"
#include "policy/writer.h"

static void write_approvers(struct writer *w, const struct library *l)
{
	for (size_t i = 0; i < l->approvers_count; i++) {
		struct image_approver a = { .name = writer_string(w, l->approvers[i].name) };

		memcpy(a.key, l->approvers[i].key, sizeof(a.key));
		writer_add(w, SECTION_APPROVERS, &a);
	}
}

void settings_write(struct writer *w, const struct library *l)
{
	const struct settings *s = l->settings ? l->settings : &settings_defaults;
	struct image_settings image = {
		.mode = s->mode,
		.when_down = s->when_down,
		.hold_timeout = s->hold_timeout,
		.approvers = writer_string(w, s->approvers),
		.pins = writer_string(w, s->pins),
		.follow_agents = s->follow_agents,
		.notify = s->notify,
		.fsync = (u8)s->journal.fsync,
		.segment_size = s->journal.segment_size,
		.keep = s->journal.keep,
		.segment_age = s->journal.segment_age,
	};

	writer_add(w, SECTION_SETTINGS, &image);
	for (size_t i = 0; i < l->precious_count; i++) {
		u32 glob = writer_string(w, l->precious[i].s);

		writer_add(w, SECTION_PRECIOUS, &glob);
	}
	for (size_t i = 0; i < l->production_count; i++) {
		u32 glob = writer_string(w, l->production[i].s);

		writer_add(w, SECTION_PRODUCTION, &glob);
	}
	write_approvers(w, l);
	for (size_t i = 0; i < l->stamps_count; i++) {
		struct image_source source = { .path = writer_string(w, l->stamps[i].path),
					       .mtime = l->stamps[i].mtime,
					       .size = l->stamps[i].size };

		writer_add(w, SECTION_SOURCES, &source);
	}
}
