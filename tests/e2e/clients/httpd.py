"""httpd.py DIRECTORY: an HTTP server in the clear and one over TLS, that says what came; below /git/ it is git's,
below /npm/ a registry of packages and below /pip/ another. DIRECTORY has the certificate, the repositories and the packages."""
import base64
import hashlib
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading

DIRECTORY = sys.argv[1]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def answer(self, data, kind="application/json", status=200):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", len(data))
        self.end_headers()
        self.wfile.write(data)

    def do(self):
        body = self.body()
        if self.path.startswith("/git/"):
            return self.git(body)
        if self.path.startswith("/npm/"):
            return self.package(os.path.basename(self.path))
        if self.path.startswith("/pip/"):
            return self.wheel(os.path.basename(self.path))
        print(self.command, self.path, body.decode(), flush=True)
        return self.answer(b"{}")

    def git(self, body):
        path, _, query = self.path.removeprefix("/git").partition("?")
        env = {**os.environ, "GIT_PROJECT_ROOT": DIRECTORY, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
               "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
               "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}
        out = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE, check=True).stdout
        head, _, data = out.partition(b"\r\n\r\n")
        kind = next(line for line in head.decode().splitlines() if line.startswith("Content-Type")).split(": ")[1]
        self.answer(data, kind)

    def package(self, name):
        path = os.path.join(DIRECTORY, name)
        if name.endswith(".tgz"):
            with open(path, "rb") as f:
                return self.answer(f.read(), "application/octet-stream")
        with open(path + ".tgz", "rb") as f:
            integrity = "sha512-" + base64.b64encode(hashlib.sha512(f.read()).digest()).decode()
        dist = {"tarball": f"http://{self.headers['Host']}/npm/{name}.tgz", "integrity": integrity}
        return self.answer(json.dumps({"name": name, "dist-tags": {"latest": "1.0.0"},
                                       "versions": {"1.0.0": {"name": name, "version": "1.0.0", "dist": dist}}}).encode())

    def wheel(self, name):
        if not name:
            name = next(n for n in os.listdir(DIRECTORY) if n.endswith(".whl"))
            return self.answer(f'<a href="/pip/{name}">{name}</a>'.encode(), "text/html")
        with open(os.path.join(DIRECTORY, name), "rb") as f:
            return self.answer(f.read(), "application/octet-stream")

    def log_message(self, *_):
        pass

    do_GET = do_POST = do_PUT = do_DELETE = do


http.server.ThreadingHTTPServer.daemon_threads = True
plain, tls = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{DIRECTORY}/server.crt", f"{DIRECTORY}/server.key")
tls.socket = context.wrap_socket(tls.socket, server_side=True, do_handshake_on_connect=False)
print(plain.server_port, tls.server_port, flush=True)
threading.Thread(target=tls.serve_forever, daemon=True).start()
plain.serve_forever()
