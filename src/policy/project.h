/* A workspace's own file, .backstop.yaml: it may only tighten. */
#ifndef POLICY_PROJECT_H
#define POLICY_PROJECT_H

#include "policy/policy.h"

#define PROJECT_FILE	  ".backstop.yaml"
#define PROJECT_MAX	  (64U << 10) /* bytes of the file, and of its JSON */
#define PROJECT_GLOBS	  64
#define PROJECT_GLOB_SIZE 256

/* Reads the file for project_parse(): {"verdicts":{NAME:VERDICT,…},"precious":[GLOB,…]} is appended
 * to `ret_json`, with what is right of it. Faults go to `err`; how many. */
unsigned int project_read(const struct policy *p, const char *name, const char *text, size_t len,
			  struct strbuf *ret_json, struct strbuf *err);

#endif
