"""Stands in for MongoDB's server, which Debian has none of: reads OP_QUERY and OP_MSG, answers that all is well, and
prints each command with its name."""
import socketserver
import struct

import bson

HELLO = {"ismaster": True, "isWritablePrimary": True, "maxWireVersion": 13, "minWireVersion": 0, "maxBsonObjectSize": 1 << 24,
         "maxMessageSizeBytes": 48000000, "maxWriteBatchSize": 100000, "readOnly": False}
OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013


def sections(body):
    """The document of a message, and the lists that stand beside it."""
    document, at = {}, 4
    while at < len(body):
        kind, at = body[at], at + 1
        size = struct.unpack_from("<i", body, at)[0]
        part = body[at:at + size]
        at += size
        if kind == 0:
            document.update(bson.decode(part))
        else:
            name, _, documents = part[4:].partition(b"\0")
            document[name.decode()] = bson.decode_all(documents)
    return document


class Handler(socketserver.StreamRequestHandler):
    def reply(self, code, request, body):
        self.wfile.write(struct.pack("<iiii", len(body) + 16, 1, request, code) + body)

    def handle(self):
        while len(head := self.rfile.read(16)) == 16:
            size, request, _, code = struct.unpack("<iiii", head)
            body = self.rfile.read(size - 16)
            if code == OP_QUERY:
                self.reply(OP_REPLY, request, struct.pack("<iqii", 8, 0, 0, 1) + bson.encode({**HELLO, "ok": 1}))
                continue
            assert code == OP_MSG, code
            document = sections(body)
            name = next(iter(document))
            print(name, document.get("deletes", ""), flush=True)
            self.reply(OP_MSG, request, b"\0" * 5 + bson.encode({**(HELLO if name in ("hello", "ismaster", "isMaster") else {}), "n": 1, "ok": 1}))


socketserver.ThreadingTCPServer.daemon_threads = True
server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
