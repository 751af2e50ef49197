"""tls_calls.py HOW HOST PORT PATH: a DELETE request over TLS, by calls of OpenSSL and GnuTLS that few programs make."""
import ctypes
import socket
import sys

how, host, port, path = sys.argv[1:]
request = f"DELETE {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
POINTER, SIZE = ctypes.c_void_p, ctypes.c_size_t
SET_CONNECT, DO_STATE_MACHINE, GET_SSL, MODE, PARTIAL_WRITE = 100, 101, 110, 33, 1
CLIENT, CERTIFICATE, AGAIN = 2, 1, -28


def functions(library, results):
    """Those that do not return an int."""
    for name, result in results.items():
        getattr(library, name).restype = result
    return library


def open_bio():
    crypto = functions(ctypes.CDLL("libcrypto.so.3"), {"BIO_ctrl": ctypes.c_long})
    ssl = functions(ctypes.CDLL("libssl.so.3"), {"TLS_client_method": POINTER, "SSL_CTX_new": POINTER, "BIO_new_ssl_connect": POINTER})
    bio = POINTER(ssl.BIO_new_ssl_connect(POINTER(ssl.SSL_CTX_new(POINTER(ssl.TLS_client_method())))))
    crypto.BIO_ctrl(bio, SET_CONNECT, ctypes.c_long(0), f"{host}:{port}".encode())
    if crypto.BIO_ctrl(bio, DO_STATE_MACHINE, ctypes.c_long(0), None) != 1:
        sys.exit("error: no handshake")
    return crypto, ssl, bio


def filtered():
    """By OpenSSL's own filter, which does not call what programs call."""
    crypto, _, bio = open_bio()
    data = ctypes.create_string_buffer(99)
    return crypto.BIO_write(bio, request, len(request)) == len(request) and crypto.BIO_read(bio, data, 99) > 0 and data.value


def endless():
    """It says that there is more than 32 bits can count, and sends the first of it."""
    crypto, ssl, bio = open_bio()
    connection, written, data = POINTER(), SIZE(), ctypes.create_string_buffer(99)
    crypto.BIO_ctrl(bio, GET_SSL, ctypes.c_long(0), ctypes.byref(connection))
    ssl.SSL_ctrl(connection, MODE, ctypes.c_long(PARTIAL_WRITE), None)
    area = ctypes.create_string_buffer(request, 1 << 16)
    done = ssl.SSL_write_ex(connection, area, SIZE((1 << 32) + 1), ctypes.byref(written))
    return done == 1 and ssl.SSL_read(connection, data, 99) > 0 and data.value


def padded():
    """What gnutls_record_send is made of."""
    tls = functions(ctypes.CDLL("libgnutls.so.30"), {"gnutls_record_send2": ctypes.c_ssize_t, "gnutls_record_recv": ctypes.c_ssize_t})
    session, credentials, data = POINTER(), POINTER(), ctypes.create_string_buffer(99)
    s = socket.create_connection((host, int(port)))
    tls.gnutls_certificate_allocate_credentials(ctypes.byref(credentials))
    tls.gnutls_init(ctypes.byref(session), CLIENT)
    tls.gnutls_set_default_priority(session)
    tls.gnutls_credentials_set(session, CERTIFICATE, credentials)
    tls.gnutls_transport_set_int2(session, s.fileno(), s.fileno())
    if tls.gnutls_handshake(session) != 0:
        sys.exit("error: no handshake")
    sent = tls.gnutls_record_send2(session, request, SIZE(len(request)), SIZE(0), 0)
    while tls.gnutls_record_recv(session, data, SIZE(99)) == AGAIN:  # what is not for the program
        pass
    return sent == len(request) and data.value


answer = {"filtered": filtered, "endless": endless, "padded": padded}[how]()
print("done", answer.split()[1].decode()) if answer else sys.exit("error")
