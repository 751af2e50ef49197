#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "export/nats_internal.h"

#define CONNECT_MS 3000

bool nats_is(const struct sink *s)
{
	return s->type == &sink_nats || s->type == &sink_tls_nats;
}

const char *nats_stream(const struct sink *s)
{
	return ((const struct nats_sink *)s)->stream;
}

const char *nats_text(natsStatus status)
{
	natsStatus last = NATS_OK;
	const char *text = nats_GetLastError(&last);

	return text && *text && last == status ? text : natsStatus_GetText(status);
}

/* ---- connecting */

static natsStatus set_security(natsOptions *o, struct nats_sink *s)
{
	const char *ca = sink_option(&s->base, "ca"), *creds = sink_option(&s->base, "creds");
	natsStatus status = NATS_OK;

	if (s->base.type == &sink_tls_nats || ca)
		status = natsOptions_SetSecure(o, true);
	if (status == NATS_OK && ca)
		status = natsOptions_LoadCATrustedCertificates(o, ca);
	if (status == NATS_OK && creds)
		status = natsOptions_SetUserCredentialsFromFiles(o, creds, NULL);
	return status;
}

static natsStatus set_options(natsOptions *o, struct nats_sink *s, const struct nats_way *way)
{
	natsStatus status = natsOptions_SetServers(o, (const char **)s->urls, (int)s->url_count);

	if (status == NATS_OK)
		status = natsOptions_SetName(o, "backstop");
	if (status == NATS_OK)
		status = natsOptions_SetTimeout(o, CONNECT_MS);
	if (status == NATS_OK)
		status = natsOptions_SetAllowReconnect(o, false);
	if (status == NATS_OK && way->inbox)
		status = natsOptions_SetCustomInboxPrefix(o, way->inbox);
	if (status == NATS_OK && way->on_error)
		status = natsOptions_SetErrorHandler(o, way->on_error, way->data);
	return status == NATS_OK ? set_security(o, s) : status;
}

static const char *connect_remedy(natsStatus status)
{
	switch (status) {
	case NATS_NO_SERVER:
		return ": no server answers there";
	case NATS_CONNECTION_AUTH_FAILED:
	case NATS_NOT_PERMITTED:
		return ": credentials are given as #creds=FILE, or USER:PASSWORD@ before the host";
	case NATS_SECURE_CONNECTION_REQUIRED:
		return ": the server wants tls://";
	case NATS_SECURE_CONNECTION_WANTED:
		return ": the server has no TLS";
	case NATS_SSL_ERROR:
		return ": the server's certificate is checked against #ca=FILE, or the system's "
		       "authorities, and the host's name";
	default:
		return "";
	}
}

static int try_connect(struct nats_sink *s, natsOptions *o, const struct nats_way *way,
		       natsConnection **ret)
{
	natsStatus status = set_options(o, s, way);

	if (status == NATS_OK)
		status = natsConnection_Connect(ret, o);
	return status == NATS_OK ? 0
				 : sink_fail(&s->base, -ENOTCONN, "%s%s", nats_text(status),
					     connect_remedy(status));
}

int nats_connect(struct sink *base, const struct nats_way *way, natsConnection **ret)
{
	natsOptions *o = NULL;
	int r;

	if (natsOptions_Create(&o) != NATS_OK)
		return -ENOMEM;
	r = try_connect((struct nats_sink *)base, o, way, ret);
	natsOptions_Destroy(o);
	return r;
}

/* ---- the stream */

static const char *const subjects[] = { "backstop.*.process", "backstop.*.file",
					"backstop.*.network", "backstop.*.finding",
					"backstop.*.application" };

#define REPLICAS      3
#define DUPLICATES_NS (600LL * 1000000000)

/* A cluster gets three replicas, where the servers can hold as many. */
static int replicas_for(natsConnection *connection)
{
	char **servers = NULL;
	int count = 0;

	if (natsConnection_GetServers(connection, &servers, &count) != NATS_OK)
		return 1;
	for (int i = 0; i < count; i++)
		free(servers[i]);
	free(servers);
	return count >= REPLICAS ? REPLICAS : 1;
}

static natsStatus add_stream(const char *name, int replicas, jsCtx *js, jsErrCode *ret_code)
{
	jsStreamConfig config;

	jsStreamConfig_Init(&config);
	config.Name = name;
	config.Description = "events of Backstop";
	config.Subjects = (const char **)subjects;
	config.SubjectsLen = ARRAY_SIZE(subjects);
	config.Storage = js_FileStorage;
	config.Replicas = replicas;
	config.Duplicates = DUPLICATES_NS;
	return js_AddStream(NULL, js, &config, NULL, ret_code);
}

static bool lacks_peers(jsErrCode code)
{
	return code == JSStreamReplicasNotSupportedErr || code == JSClusterNoPeersErr ||
	       code == JSInsufficientResourcesErr;
}

int nats_ensure_stream(struct sink *base, natsConnection *connection, jsCtx *js)
{
	const char *name = nats_stream(base);
	jsStreamInfo *info = NULL;
	jsErrCode code = 0;
	natsStatus status = js_GetStreamInfo(&info, js, name, NULL, &code);

	jsStreamInfo_Destroy(info);
	if (status == NATS_NOT_FOUND && code == JSStreamNotFoundErr) {
		status = add_stream(name, replicas_for(connection), js, &code);
		if (status != NATS_OK && lacks_peers(code))
			status = add_stream(name, 1, js, &code);
	}
	if (status == NATS_OK)
		return 0;
	return sink_fail(base, -ENOTCONN,
			 "stream %s cannot be found or made (%s): 'nats stream add %s' with the "
			 "subjects backstop.*.process, .file, .network, .finding and .application "
			 "makes it",
			 name, nats_text(status), name);
}
