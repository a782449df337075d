"""The servers that the clients call, each a process of its own: ``python -m benchmarks.server``.

A bare asyncio protocol, so that it takes as little of the machine as can be. It reads whole requests, counts bodies
without keeping them, and may answer late, refuse, or drop the connection.
"""

from __future__ import annotations

import argparse
import asyncio
import random

from benchmarks.examples import ANSWERS, spelled

SLACK_URL = "/slack/files.getUploadURLExternal"


def answer(status: str, body: bytes) -> bytes:
    """Spell an answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


def answers(port: int) -> dict[bytes, bytes]:
    """Return the spelled answer for each path."""
    ticket = {"ok": True, "upload_url": f"http://127.0.0.1:{port}/slack/upload", "file_id": "F123ABC456"}
    found = {**ANSWERS, SLACK_URL: ticket}
    return {path.encode("ascii"): answer("200 OK", spelled(value)) for path, value in found.items()}


REFUSAL = answer("503 Service Unavailable", b"{}")
UNKNOWN = answer("404 Not Found", b"{}")


class Connection(asyncio.Protocol):
    """One connection: requests one after the other."""

    def __init__(self, known: dict[bytes, bytes], delay: float, faults: float) -> None:
        self._known = known
        self._delay = delay
        self._faults = faults
        self._head = b""
        self._left = 0
        """Bytes of the body that are still to come."""
        self._posted = False
        """Whether the request may be met with a fault: a GET never is."""
        self._reply = UNKNOWN

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note where answers go."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Follow the request; answer at its end."""
        if self._left:
            self._body(len(data))
            return
        self._head += data
        head, found, rest = self._head.partition(b"\r\n\r\n")
        if found:
            self._head = b""
            self._reply = self._known.get(path_of(head), UNKNOWN)
            self._posted = head.startswith(b"POST")
            self._left = length_of(head)
            self._body(len(rest))

    def _body(self, count: int) -> None:
        self._left -= count
        if self._left:
            return
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, self._reply)
        elif self._posted and random.random() < self._faults:
            self._fail()
        else:
            self._transport.write(self._reply)

    def _fail(self) -> None:
        if random.random() < 0.5:
            self._transport.write(REFUSAL)
        else:
            self._transport.abort()


def path_of(head: bytes) -> bytes:
    """Return the path of a request, without its query."""
    return head.split(b" ", 2)[1].partition(b"?")[0]


def length_of(head: bytes) -> int:
    """Return the length of a request's body."""
    found = head.lower().partition(b"\r\ncontent-length:")[2]
    return int(found.partition(b"\r\n")[0]) if found else 0


async def serve(delay: float, faults: float) -> None:
    """Serve on a free port, and print it."""
    known: dict[bytes, bytes] = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(known, delay, faults), "127.0.0.1", 0, backlog=2_048)
    port = server.sockets[0].getsockname()[1]
    known.update(answers(port))
    print(port, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--faults", type=float, default=0.0)
    chosen = parser.parse_args()
    asyncio.run(serve(chosen.delay, chosen.faults))
