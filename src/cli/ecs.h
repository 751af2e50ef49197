/* Events as the Elastic Common Schema has them. */
#ifndef CLI_ECS_H
#define CLI_ECS_H

#include <jansson.h>

#include "base/strbuf.h"

/* Appends the event, a line of the journal, as one JSON object whose members are named as the
 * schema's fields are, with dots; what the schema has no field for stands in `backstop`. Depends on
 * nothing but the event. A strbuf fails as ever. */
void ecs_put(struct strbuf *out, const json_t *event);

#endif
