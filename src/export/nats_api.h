/* libnats, once it is loaded. */
#ifndef EXPORT_NATS_API_H
#define EXPORT_NATS_API_H

#include <nats/nats.h>

#include "base/library.h"

#define NATS_CALLS(call)                                                                              \
	call(natsOptions_Create) call(natsOptions_Destroy) call(                                      \
		natsOptions_LoadCATrustedCertificates) call(natsOptions_SetAllowReconnect)            \
		call(natsOptions_SetErrorHandler) call(natsOptions_SetMaxReconnect) call(             \
			natsOptions_SetName) call(natsOptions_SetSecure)                              \
			call(natsOptions_SetServers) call(natsOptions_SetTimeout) call(               \
				natsOptions_SetUserCredentialsFromFiles) call(natsConnection_Connect) \
				call(natsConnection_Destroy) call(natsConnection_GetServers) call(    \
					natsConnection_IsClosed) call(natsConnection_JetStream)       \
					call(natsMsg_GetDataLength) call(natsStatus_GetText) call(    \
						nats_GetLastError) call(jsCtx_Destroy)                \
						call(jsOptions_Init) call(jsPubOptions_Init) call(    \
							jsStreamConfig_Init)                          \
							call(jsStreamInfo_Destroy) call(              \
								js_AddStream) call(js_GetStreamInfo)  \
								call(js_PublishAsync) call(           \
									js_PublishAsyncComplete)

struct nats_api {
	NATS_CALLS(LIBRARY_MEMBER)
};

extern struct nats_api nats;

/* Fills `nats`, once, whoever asks. 0, or -ELIBACC, and *ret_why, which is not owned, says why. */
int nats_load(const char **ret_why);

#endif
