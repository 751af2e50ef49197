/* Any text as a pack: compiled, or refused with a fault. */
#include <stdint.h>
#include <stdlib.h>

#include "policy/compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
