/* Requests of HTTP, as rules of send: ask about them. */
#ifndef POLICY_REQUEST_H
#define POLICY_REQUEST_H

#include "policy/wire.h"

/* As a string, NULs as blanks; false: it does not fit. */
bool request_text(struct wire_slice s, char *ret, size_t size);
/* False where it is longer than 8 KiB. */
bool request_slice_matches(const char *glob, struct wire_slice s, bool nocase);
/* As it is written, or as servers read it. */
bool request_path_matches(const char *glob, struct wire_slice path);
/* One of the words of a header that names another method. */
bool request_override_matches(const char *method, struct wire_slice words);
/* _method, of a form in any spelling or of JSON, by which frameworks take another method for POST.
 */
bool request_form_overrides(const char *method, struct wire_slice form);
/* Among bytes of which nobody knows where a request begins: METHOD TARGET HTTP/… */
bool request_line_matches(const char *method, const char *path, struct wire_slice raw);

#endif
