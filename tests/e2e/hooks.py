"""A web server that takes what webhooks send, and behaves as a test wants it to."""
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time


class Request:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body, self.time = path, headers, body, time.time()

    def numbers(self):
        return [json.loads(line)["unmapped"]["backstop"]["line"] for line in self.body.decode().splitlines()]

    def is_signed(self, key):
        """As the README says that one checks it."""
        stamp = self.headers["X-Backstop-Timestamp"]
        expected = hmac.new(key, stamp.encode() + b"." + self.body, hashlib.sha256).hexdigest()
        return abs(time.time() - int(stamp)) < 300 and hmac.compare_digest(
            self.headers["X-Backstop-Signature"], "sha256=" + expected)


class Hook:
    """`answer` is called with each request and the count of those before it: a status, or (status, headers, body);
    None: it goes away without a word."""

    def __init__(self, port=0, certificate=None, answer=lambda request, number: 200):
        self.requests, self.taken, self.answer = [], [], answer
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                hook.handle(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate[1], certificate[0])
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def handle(self, handler):
        request = Request(handler.path, handler.headers, handler.rfile.read(int(handler.headers["Content-Length"])))
        number = len(self.requests)
        self.requests.append(request)
        answer = self.answer(request, number)
        if answer is None:
            handler.close_connection = True
            return
        status, headers, body = answer if isinstance(answer, tuple) else (answer, {}, b"ok")
        if status // 100 == 2:
            self.taken.append(request)
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def numbers(self):
        return [n for request in self.taken for n in request.numbers()]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
