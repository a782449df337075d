"""Counts the bytes of large bodies and responds to each; a separate process that prints its port.

Plain sockets and threads, so that it takes less of the machine than the client that is measured.
"""

import json
import re
import socketserver
import sys

ANSWER = json.dumps(
    {"data": {"id": 45, "chat_handles": [], "chat_messages": {"id": 1, "text": "Hello!", "attachments": []}}}
).encode()
STATUSES = [int(status) for status in sys.argv[1:]]


class Handler(socketserver.BaseRequestHandler):
    """Takes a status for each request of a connection, 201 once they are used up."""

    def handle(self) -> None:
        self.space = memoryview(bytearray(1 << 20))
        self.rest = b""
        while self.one():
            status = STATUSES.pop(0) if STATUSES else 201
            self.request.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(ANSWER), ANSWER))

    def one(self) -> bool:
        """Read one request to its end; return whether there was one."""
        head = self.rest
        while b"\r\n\r\n" not in head:
            if not (data := self.request.recv(4_096)):
                return False
            head += data
        head, _, self.rest = head.partition(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head.lower())
        assert found is not None
        left = int(found[1]) - len(self.rest)
        while left:
            count = self.request.recv_into(self.space, min(left, len(self.space)))
            assert count
            left -= count
        self.rest = b""
        return True


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


with Server(("127.0.0.1", 0), Handler) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
