"""What tests of exports and of the fleet share: journals of any length, and NATS servers."""
import base64
import itertools
import json
import os
import signal
import socket
import subprocess

from lab import until

HOST = "build-7.example"
MACHINE = "0123456789abcdef0123456789abcdef"
CLASSES = {"process": 1007, "network": 4001, "file": 1001, "finding": 2004, "application": 6002}


def event(number, size=0, machine=MACHINE, host=HOST):
    """A line as a guard writes it, of as many bytes at least; which class it is of hangs on its number."""
    uid = list(CLASSES.values())[number % len(CLASSES)]
    return json.dumps(
        {"class_uid": uid, "activity_id": 1, "time": 1795000000000 + number,
         "metadata": {"version": "1.8.0", "uid": f"{machine}:{1795000000000 + number}:{number}", "sequence": number},
         "device": {"hostname": host, "uid": machine}, "message": f"event {number}", "disposition_id": 1,
         "pad": "x" * size, "unmapped": {"backstop": {"line": number}}}, separators=(",", ":"))


class Journal:
    """A directory that a guard could have written, without the chain."""

    def __init__(self, path, size=0):
        self.path, self.size, self.count = path, size, 0
        os.makedirs(path, exist_ok=True)

    def line(self):
        return event(self.count, self.size)

    def add(self, count):
        with open(f"{self.path}/journal-{1:016}.jsonl", "a", encoding="utf-8") as f:
            for _ in range(count):
                self.count += 1
                f.write(self.line() + "\n")
        return self

    def write(self, *lines):
        """Lines of the test's own."""
        with open(f"{self.path}/journal-{1:016}.jsonl", "a", encoding="utf-8") as f:
            self.count += len(lines)
            f.write("".join(line + "\n" for line in lines))


def serves(build, journal, path):
    """For a fixture: what starts `backstop serve` for a journal's directory, as often as it is asked to, with these
    sinks. What still runs in the end is ended."""
    processes, none = [], f"{path}/no-exports.yaml"
    with open(none, "w", encoding="utf-8"):
        pass

    def start(*sinks, settings=none):
        more = ["--export", ",".join(sinks)] if sinks else []
        processes.append(subprocess.Popen(
            [f"{build}/backstop", "serve", "--dir", journal, "--database", f"{path}/record.db", "--settings",
             settings, *more], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def takes_signals(process):
    """It has seen to it that they do not just kill it."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
        blocked = next(line.split()[1] for line in f if line.startswith("SigBlk:"))
    return int(blocked, 16) >> (signal.SIGTERM - 1) & 1


def stop(process):
    """Ends it: what it said on its stderr."""
    until(lambda: process.poll() is not None or takes_signals(process), "serve is up")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    return err.decode()


def cursor_is_at_end(journal, path):
    """The only sink has it all."""
    size = os.path.getsize(f"{journal.path}/journal-{1:016}.jsonl")
    return any(f"offset {size}\n" in c.read_text() for c in path.glob("export-*.cursor"))


def expect_at_least_once(got, all_there_is):
    """Each, in order; what comes again is what came before."""
    places = {thing: place for place, thing in enumerate(all_there_is)}
    seen = 0
    for thing in got:
        assert places[thing] <= seen, f"{thing} behind {seen}"
        seen = max(seen, places[thing] + 1)
    assert seen == len(places)


def expect_error(process, text):
    """It says so, of what it tries to do."""
    for line in process.stderr:
        if b"takes nothing" in line:
            assert text in line.decode(), line
            return line.decode()
    assert False, "it ended"


def free_ports(count):
    """Of loopback, that nobody has now."""
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Nats:
    """A nats-server with JetStream; `routes` make it one of a cluster."""

    def __init__(self, path, port, more="", cluster=None, routes=()):
        self.port, self.process = port, None
        self.config, self.log = f"{path}/nats-{port}.conf", f"{path}/nats-{port}.log"
        text = f'listen: "127.0.0.1:{port}"\nserver_name: "n{port}"\njetstream {{ store_dir: "{path}/store-{port}" }}\n'
        if cluster:
            nodes = ", ".join(f'"nats://127.0.0.1:{r}"' for r in routes)
            text += f'cluster {{ name: "c", listen: "127.0.0.1:{cluster}", routes: [{nodes}] }}\n'
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(text + more)

    def start(self):
        self.process = subprocess.Popen(["nats-server", "-c", self.config, "-l", self.log], stdin=subprocess.DEVNULL)
        until(self.listens, f"a server listens at {self.port}")
        return self

    def listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


class NatsClient:
    """As much of the protocol as asks JetStream. What has no leader gives no answer: then the next request has a
    connection of its own."""

    def __init__(self, port, user=""):
        self.port, self.user, self.socket, self.file = port, user, None, None
        self.numbers = itertools.count(1)

    def connect(self):
        if not self.socket:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=2)
            self.file = self.socket.makefile("rb")
            self.file.readline()  # INFO
            self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true' +
                                self.user.encode() + b'}\r\nSUB _INBOX.t.* 1\r\n')

    def close(self):
        if self.socket:
            self.file.close()
            self.socket.close()
            self.socket = None

    def request(self, subject, body=b""):
        """The reply: its headers, and its body."""
        inbox = f"_INBOX.t.{next(self.numbers)}"
        try:
            self.connect()
            self.socket.sendall(f"PUB {subject} {inbox} {len(body)}\r\n".encode() + body + b"\r\n")
            return self.receive(inbox)
        except OSError as e:
            self.close()
            return str(e), b""

    def receive(self, inbox):
        while True:
            words = self.file.readline().decode().split()
            if not words:
                raise OSError("it went away")
            if words[0] == "PING":
                self.socket.sendall(b"PONG\r\n")
            if words[0] not in ("MSG", "HMSG"):
                continue
            payload = self.file.read(int(words[-1]) + 2)[:-2]
            headers = int(words[-2]) if words[0] == "HMSG" else 0
            if words[1] == inbox:
                return payload[:headers].decode(), payload[headers:]

    def api(self, subject, **question):
        headers, body = self.request(f"$JS.API.{subject}", json.dumps(question).encode() if question else b"")
        return json.loads(body) if body else {"error": {"description": headers}}

    def stream(self, name="BACKSTOP"):
        return self.api(f"STREAM.INFO.{name}")

    def messages(self, name="BACKSTOP"):
        """(subject, headers, body) of all that the stream has, in its order."""
        def get(sequence):
            message = self.api(f"STREAM.MSG.GET.{name}", seq=sequence)["message"]
            return tuple([message["subject"]] + [base64.b64decode(message.get(k, "")).decode() for k in ("hdrs", "data")])

        state = self.stream(name)["state"]
        return [get(n) for n in range(state["first_seq"], state["last_seq"] + 1)]


def ready(port):
    """A client, once JetStream answers there."""
    client = NatsClient(port)
    until(lambda: "error" not in client.api("INFO"), f"JetStream answers at {port}", 60)
    return client


def openssl(*argv):
    subprocess.run(["openssl", *argv], check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Authority:
    """Signs certificates of servers; `pem` is what clients trust."""

    def __init__(self, path, name="ca"):
        self.path, self.key, self.pem = path, f"{path}/{name}.key", f"{path}/{name}.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.pem)

    def sign(self, name, names, days=2):
        """Key and certificate for "IP:127.0.0.1,DNS:localhost"."""
        key, request, pem = (f"{self.path}/{name}.{end}" for end in ("key", "csr", "pem"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-addext", f"subjectAltName={names}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key, "-CAcreateserial",
                "-copy_extensions", "copy", "-days", str(days), "-out", pem)
        return key, pem
