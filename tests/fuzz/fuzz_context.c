/* What the reader reads, and what is read of it. The first byte says which: a plan file (a zip
 * file), the plan in it, or the reader's answers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "context/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void free_names(struct answer *a)
{
	for (size_t i = 0; i < CONTEXT_NAMES; i++)
		free(a->names[i]);
}

static void read_plan(const uint8_t *data, size_t size)
{
	struct answer a = { 0 };

	if (plan_read(data, size, &a) == 0 && a.count > size)
		abort();
	free_names(&a);
}

static void read_zip(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("fuzz", MFD_CLOEXEC);
	_cleanup_strbuf_ struct strbuf plan = STRBUF_INIT;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return;
	if (zip_read(fd, "tfplan", 1 << 20, &plan) == 0)
		read_plan((const uint8_t *)strbuf_str(&plan), plan.len);
}

/* Each question has an answer afterwards. */
static void read_answers(const uint8_t *data, size_t size)
{
	struct context *c = context_new(0);

	for (char name = 'a'; c && name < 'd'; name++) {
		_cleanup_strbuf_ struct strbuf question = STRBUF_INIT;

		strbuf_addc(&question, name);
		context_ask(c, FACT_GIT_MODIFIED, &question, VERDICT_HOLD);
	}
	if (!c)
		return;
	context_answer(c, (const char *)data, size);
	if (context_is_pending(c))
		abort();
	for (u32 i = 0; i < c->questions_count; i++) {
		if (!c->questions[i].answered)
			abort();
		context_tell(c, FACT_GIT_MODIFIED, &c->questions[i].answer);
	}
	context_settle(c, "");
	context_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const read[])(const uint8_t *, size_t) = { read_plan, read_zip,
								 read_answers };

	if (size)
		read[data[0] % ARRAY_SIZE(read)](data + 1, size - 1);
	return 0;
}
