"""request.py HOW METHOD URL [BODY]: a request by urllib, by http.client, or written to a socket in pieces."""
import http.client
import socket
import ssl
import sys
import time
import urllib.parse
import urllib.request

how, method, url, *rest = sys.argv[1:]
body = rest[0].encode() if rest else b""
tls = ssl.create_default_context()
tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
parts = urllib.parse.urlsplit(url)
headers = {"Content-Type": "application/json"}


def pieces():
    """Each byte by itself is slow; what counts is that no piece has all of a word."""
    s = socket.create_connection((parts.hostname, parts.port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    text = f"{method} {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    data = f"{text}Content-Length: {len(body)}\r\n\r\n".encode() + body
    for at in range(0, len(data), 5):
        s.sendall(data[at:at + 5])
        time.sleep(0.001)
    return s.recv(99).split()[1].decode()


def chunked():
    c = http.client.HTTPConnection(parts.netloc)
    c.request(method, parts.path, iter([body[:20], body[20:]]), {**headers, "Transfer-Encoding": "chunked"}, encode_chunked=True)
    return c.getresponse().status


def kept():
    """Behind another request on the same connection."""
    c = http.client.HTTPConnection(parts.netloc)
    for way, path, data in (("GET", "/first", None), (method, parts.path, body)):
        c.request(way, path, data, headers)
        answer = c.getresponse()
        answer.read()
    return answer.status


def whole():
    return urllib.request.urlopen(urllib.request.Request(url, body or None, headers, method=method), context=tls).status


try:
    print("done", {"pieces": pieces, "chunked": chunked, "kept": kept, "urllib": whole}[how]())
except OSError as error:
    sys.exit(f"error: {error}")
