"""A server in a thread, which spoils a connection after an answer while the client's loop is busy or not."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from tests.support.http_messages import created_chat, error_body, message_field, parse_head, response

STRANGER = "stranger"
Poison = Callable[[socket.socket], None]


def _reset(wire: socket.socket) -> None:
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


def _finish(wire: socket.socket) -> None:
    wire.shutdown(socket.SHUT_WR)


def _sends(data: bytes) -> Poison:
    return lambda wire: wire.sendall(data)


def _sends_and_ends(data: bytes) -> Poison:
    def poison(wire: socket.socket) -> None:
        wire.sendall(data)
        _finish(wire)

    return poison


STALE = response(200, json.dumps(created_chat(666, STRANGER)).encode())
REFUSED = response(422, error_body(422, "stale", "It was about another request"))
LIMITED = response(429, error_body(429, "stale", "It was about another request"), {"Retry-After": "30"})
CLOSING = response(408, error_body(408, "timeout", "Idle for too long"), {"Connection": "close"})

POISONS: dict[str, Poison] = {
    "a stale success": _sends(STALE),
    "two stale successes": _sends(STALE * 2),
    "a stale refusal": _sends(REFUSED),
    "a stale 429": _sends(LIMITED),
    "a stale 408, and an end": _sends_and_ends(CLOSING),
    "a stale success, and an end": _sends_and_ends(STALE),
    "half a stale head": _sends(STALE[:30]),
    "half a stale answer": _sends(STALE[:-40]),
    "half a stale answer, and an end": _sends_and_ends(STALE[:-40]),
    "an informational answer": _sends(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "junk": _sends(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "an empty line": _sends(b"\r\n"),
    "an end": _finish,
    "a close": lambda wire: wire.close(),
    "a reset": _reset,
}


@dataclass
class Poisoner:
    """Stores each message once a key and answers with it; on command, it spoils every idle connection."""

    stored: dict[str, int] = field(default_factory=dict[str, int])
    """The id of each key's message."""
    requests: int = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._lock = threading.Lock()
        self._idle: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._wires: list[socket.socket] = []
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for wire in [self._listener, *self._wires]:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
            wire.close()
        for thread in self._threads:
            thread.join()

    def spoil(self, poison: Poison) -> int:
        """Spoil every idle connection, and return once that has reached the client's socket: how many there were."""
        with self._lock:
            idle, self._idle = self._idle, set()
        for wire in idle:
            with suppress(OSError):
                poison(wire)
        return len(idle)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                wire, _ = self._listener.accept()
                wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._wires.append(wire)
                self._threads.append(threading.Thread(target=self._serve, args=[wire]))
                self._threads[-1].start()

    def _serve(self, wire: socket.socket) -> None:
        with suppress(OSError), wire.makefile("rb") as lines:
            while head := _head(lines.readline):
                _, path, headers = parse_head(head)
                body = lines.read(int(headers.get("content-length", "0")))
                answer = self._answer(path, message_field(headers, body, "idempotency_key") or "", headers, body)
                with self._lock:
                    wire.sendall(answer)
                    self._idle.add(wire)

    def _answer(self, path: str, key: str, headers: dict[str, str], body: bytes) -> bytes:
        with self._lock:
            self.requests += 1
            new = key not in self.stored
            number = self.stored.setdefault(key, 1_000 + len(self.stored))
        shown = created_chat(number, message_field(headers, body, "text") or "")
        data = shown["data"]["chat_messages"] if path.endswith("/chat_messages") else shown["data"]
        return response(201 if new else 200, json.dumps({"data": data}).encode())


def _head(readline: Callable[[], bytes]) -> bytes:
    """Read a request's head up to its empty line; empty at the end of the connection."""
    found = b""
    while line := readline():
        found += line
        if line == b"\r\n":
            return found
    return b""
