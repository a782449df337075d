"""Sends events to a server as fast as it takes them: ``python -m benchmarks.event_sender PORT CONNECTIONS``.

Each line of standard input is a path and a number of events. When all of them were answered with 200, it prints a line.
No two events have the same id, so that none is a duplicate.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from itertools import count

from benchmarks.event_rivals import sign_by_hand, sign_standard
from benchmarks.examples import event_body

STANDARD = "/standardwebhooks"
"""The beginning of the paths with the other way to sign."""
BY_HAND = "/by-hand"
_numbers = count(1)


def request(path: str) -> bytes:
    """Return a request that delivers a new event."""
    body = event_body(next(_numbers))
    signed = sign_standard(body) if path.startswith(STANDARD) else sign_by_hand(body)
    headers = {"Content-Type": "application/json", "Content-Length": len(body), "User-Agent": "Linq", **signed}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode() + body


class Connection(asyncio.Protocol):
    """One connection. It sends the next request when it has the response to the last one."""

    def __init__(self, next_request: Callable[[], bytes | None]) -> None:
        self._next_request = next_request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take a response, whose body is empty."""
        assert data.startswith(b"HTTP/1.1 200"), data
        assert data.endswith(b"\r\n\r\n"), data
        self.send()

    def send(self) -> None:
        """Send the next request, if there is one."""
        sent = self._next_request()
        if sent is not None:
            self._transport.write(sent)


class Sender:
    """Sends a number of events over all connections."""

    def __init__(self) -> None:
        self._path = ""
        self._waiting = self._unanswered = 0
        self._done = asyncio.Event()

    async def run(self, connections: list[Connection], path: str, events: int) -> None:
        """Send events, and wait for the responses."""
        self._path, self._waiting, self._unanswered = path, events, events + len(connections)
        self._done.clear()
        for connection in connections:
            connection.send()
        await self._done.wait()

    def next_request(self) -> bytes | None:
        """Return the next request, or None if there are no more."""
        self._unanswered -= 1  # of the request before, or for the first call of each connection
        if not self._unanswered:
            self._done.set()
        if not self._waiting:
            return None
        self._waiting -= 1
        return request(self._path)


async def main(port: int, connections: int) -> None:
    """Send what standard input says, until it ends."""
    loop, sender = asyncio.get_running_loop(), Sender()
    opened = [
        (await loop.create_connection(lambda: Connection(sender.next_request), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        path, events = line.split()
        await sender.run(opened, path, int(events))
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
