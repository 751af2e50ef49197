/* Which fields a request of GraphQL asks for. */
#ifndef POLICY_GRAPHQL_H
#define POLICY_GRAPHQL_H

#include <stdbool.h>
#include <stddef.h>

/* Is `field` selected in this document? */
bool graphql_selects(const char *document, size_t len, const char *field);

/* The same of a body of JSON: in the "query" of its object, or of any of a list of them. The body
 * may have been cut. */
bool graphql_body_selects(const char *json, size_t len, const char *field);

/* The same of the parameter `query` of a URL's query, or of a form. */
bool graphql_form_selects(const char *form, size_t len, const char *field);

#endif
