#include "cli/reload.h"

#include <stdio.h>

#include "cli/client.h"
#include "cli/table.h"

int reload_guard(const char *socket, bool json)
{
	_cleanup_json_ json_t *reply = NULL, *status = NULL;
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	if (client_request(socket, json_pack("{ss}", "op", "reload"), &reply) ||
	    client_request(socket, json_pack("{ss}", "op", "status"), &status))
		return EXIT_FAILURE;
	if (json) {
		printf("{\"policy_version\":\"%s\"}\n",
		       json_string_value(json_object_get(status, "policy_version")));
		return EXIT_SUCCESS;
	}
	strbuf_adds(&out, "in force: version ");
	add_member(&out, status, "policy_version");
	strbuf_adds(&out, ", ");
	add_member(&out, status, "signatures");
	strbuf_adds(&out, " signatures, mode ");
	add_member(&out, status, "mode");
	puts(strbuf_str(&out));
	return EXIT_SUCCESS;
}
