/* Any text as a pack: compiled, or refused with a fault. */
#include <stdint.h>
#include <stdlib.h>

#include "policy/compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

const char *__lsan_default_suppressions(void);

/* The parser of YAML loses a little memory after some errors; the compiler is short-lived. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT, text = STRBUF_INIT;
	struct compile_stats stats;

	strbuf_add(&text, data, size);
	if (policy_compile_text("p.yaml", strbuf_str(&text), size, &image, &stats, &err) &&
	    err.len == 0)
		abort();
	return 0;
}
