/* Stands in for what is not there yet, so that the tree links. */
#include "guard/internal.h"

__attribute__((weak)) void report_connect(struct guard *g _unused_, const struct exec *x _unused_,
					  enum ocsf_disposition disposition _unused_)
{
}
