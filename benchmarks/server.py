"""The server that the clients call: ``python -m benchmarks.server``.

It is a bare asyncio protocol, which leaves most of the machine to the client. It reads requests without storing their
bodies, and can delay responses, refuse requests, or drop connections.
"""

from __future__ import annotations

import argparse
import asyncio
import random

from benchmarks.examples import RESPONSES, encode

SLACK_URL = "/slack/files.getUploadURLExternal"


def build_response(status: str, body: bytes) -> bytes:
    """Return a response as bytes."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


def build_responses(port: int) -> dict[bytes, bytes]:
    """Return the response for each path."""
    ticket = {"ok": True, "upload_url": f"http://127.0.0.1:{port}/slack/upload", "file_id": "F123ABC456"}
    bodies = {**RESPONSES, SLACK_URL: ticket}
    return {path.encode("ascii"): build_response("200 OK", encode(body)) for path, body in bodies.items()}


REFUSAL = build_response("503 Service Unavailable", b"{}")
NOT_FOUND = build_response("404 Not Found", b"{}")


class Connection(asyncio.Protocol):
    """One connection, with sequential requests."""

    def __init__(self, responses: dict[bytes, bytes], delay: float, faults: float) -> None:
        self._responses = responses
        self._delay = delay
        self._faults = faults
        self._head = b""
        self._remaining = 0
        """Bytes of the body that are still to be received."""
        self._is_post = False
        """Whether the request can meet a fault. A GET never does."""
        self._response = NOT_FOUND

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Parse the request, and respond at its end."""
        if self._remaining:
            self._receive_body(len(data))
            return
        self._head += data
        head, found, rest = self._head.partition(b"\r\n\r\n")
        if found:
            self._head = b""
            self._response = self._responses.get(path_of(head), NOT_FOUND)
            self._is_post = head.startswith(b"POST")
            self._remaining = length_of(head)
            self._receive_body(len(rest))

    def _receive_body(self, count: int) -> None:
        self._remaining -= count
        if self._remaining:
            return
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, self._response)
        elif self._is_post and random.random() < self._faults:
            if random.random() < 0.5:
                self._transport.write(REFUSAL)
            else:
                self._transport.abort()
        else:
            self._transport.write(self._response)


def path_of(head: bytes) -> bytes:
    """Return the path of a request, without its query."""
    return head.split(b" ", 2)[1].partition(b"?")[0]


def length_of(head: bytes) -> int:
    """Return the length of the body of a request."""
    value = head.lower().partition(b"\r\ncontent-length:")[2]
    return int(value.partition(b"\r\n")[0]) if value else 0


async def serve(delay: float, faults: float) -> None:
    """Serve on a free port, and print the port."""
    responses: dict[bytes, bytes] = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(responses, delay, faults), "127.0.0.1", 0, backlog=2_048)
    port = server.sockets[0].getsockname()[1]
    responses.update(build_responses(port))
    print(port, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--faults", type=float, default=0.0)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.delay, arguments.faults))
