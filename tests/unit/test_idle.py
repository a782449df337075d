"""linq_async/transport/idle.py: connections that waited in the pool."""

from __future__ import annotations

import asyncio
import select
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from linq_async.transport.idle import is_stale


class _Transport(asyncio.WriteTransport):
    """A transport with a given socket."""

    def __init__(self, connection: socket.socket | None) -> None:
        super().__init__({"socket": connection})
        self.closed = False

    def is_closing(self) -> bool:
        return self.closed


def _used() -> Any:
    """Return a protocol that has carried a response."""
    return SimpleNamespace(_payload=object())


@pytest.mark.parametrize("has_poll", [True, False])
def test_data_on_an_idle_connection_makes_it_stale(has_poll: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection is stale once anything can be read from it, on systems with and without ``select.poll``."""
    if not has_poll:
        monkeypatch.delattr(select, "poll")
    near, far = socket.socketpair()
    with near, far:
        protocol, transport = _used(), _Transport(near)
        assert not is_stale(protocol, transport)
        far.send(b"unsolicited")
        assert is_stale(protocol, transport)


def test_closed_connection_is_stale() -> None:
    """A connection without a transport, or whose transport is closing, is stale."""
    transport = _Transport(None)
    transport.closed = True
    assert is_stale(_used(), None)
    assert is_stale(_used(), transport)


def test_connection_without_a_socket_is_not_stale() -> None:
    """A transport that has no socket cannot be polled, and its connection is used."""
    assert not is_stale(_used(), _Transport(None))
