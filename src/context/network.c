/* libgit2's network, of which the reader has none: it is linked statically, to start in a
 * millisecond, and without what only a transport would call. */
#include "context/reader.h"

/* GSSAPI, for HTTP. */
int GSS_C_NT_HOSTBASED_SERVICE;
#define NOT_THERE(name)                                                                            \
	int name(void);                                                                            \
	int name(void)                                                                             \
	{                                                                                          \
		return -1;                                                                         \
	}
NOT_THERE(gss_delete_sec_context)
NOT_THERE(gss_display_status)
NOT_THERE(gss_import_name)
NOT_THERE(gss_indicate_mechs)
NOT_THERE(gss_init_sec_context)
NOT_THERE(gss_release_buffer)
NOT_THERE(gss_release_name)
NOT_THERE(gss_release_oid)
NOT_THERE(gss_release_oid_set)
NOT_THERE(gss_test_oid_set_member)

/* What git_libgit2_init() would begin with: TLS with all certificates of the host, and SSH. */
int __wrap_git_mbedtls_stream_global_init(void);
int __wrap_git_mbedtls_stream_global_init(void)
{
	return 0;
}
int __wrap_git_transport_ssh_global_init(void);
int __wrap_git_transport_ssh_global_init(void)
{
	return 0;
}
