#include "policy/writer.h"

#include <errno.h>
#include <string.h>

void writer_init(struct writer *w)
{
	*w = (struct writer) { 0 };
	writer_string(w, "");
}

void writer_free(struct writer *w)
{
	for (size_t i = 0; i < SECTION_COUNT; i++)
		strbuf_free(&w->sections[i]);
	map_free(&w->strings);
}

u32 writer_count(const struct writer *w, enum image_section s)
{
	return (u32)(w->sections[s].len / image_element_size[s]);
}

u32 writer_string(struct writer *w, const char *text)
{
	struct strbuf *out = &w->sections[SECTION_STRINGS];
	uint64_t h = 0xcbf29ce484222325ULL;
	uintptr_t known;
	u32 offset;

	for (const char *p = text; *p; p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3ULL;
	known = (uintptr_t)map_get(&w->strings, h);
	if (known && strcmp(strbuf_str(out) + known - 1, text) == 0)
		return (u32)(known - 1);
	offset = (u32)out->len;
	strbuf_add(out, text, strlen(text) + 1);
	map_set(&w->strings, h, (void *)(uintptr_t)(offset + 1));
	return offset;
}

void writer_add(struct writer *w, enum image_section s, const void *element)
{
	strbuf_add(&w->sections[s], element, image_element_size[s]);
}

u32 writer_string_or_none(struct writer *w, const char *text)
{
	return text ? writer_string(w, text) : IMAGE_NONE;
}

int writer_finish(struct writer *w, struct strbuf *out)
{
	struct image_header h = { .magic = IMAGE_MAGIC, .version = IMAGE_VERSION };
	static const char padding[8];
	size_t at = sizeof(h);

	for (size_t i = 0; i < SECTION_COUNT; i++) {
		h.sections[i].offset = (u32)at;
		h.sections[i].count = writer_count(w, (enum image_section)i);
		at += (w->sections[i].len + 7) & ~(size_t)7;
	}
	if (at > IMAGE_MAX)
		return -E2BIG;
	h.size = (u32)at;
	strbuf_add(out, &h, sizeof(h));
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		size_t len = w->sections[i].len;

		if (strbuf_error(&w->sections[i]))
			return -ENOMEM;
		if (len)
			strbuf_add(out, w->sections[i].data, len);
		strbuf_add(out, padding, (8 - len % 8) % 8);
	}
	if (strbuf_error(out))
		return -ENOMEM;
	h.hash = image_hash(out->data, out->len);
	memcpy(out->data, &h, sizeof(h));
	return 0;
}
