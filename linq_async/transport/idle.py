"""Whether an idle connection can carry another request. The system is asked: a busy loop may not have looked yet."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable, Sequence
from typing import Any

_POLLER = "_linq_async_poller"


def is_stale(protocol: Any, transport: asyncio.WriteTransport | None) -> bool:
    """Return whether a connection that waited in the pool was closed, or written on, meanwhile.

    Whatever arrives unasked would be taken for the answer to the next request. Over TLS it may be a mere record of the
    protocol: then leaving the connection costs one handshake more.
    """
    if transport is None or transport.is_closing():
        return True
    poll = getattr(protocol, _POLLER, None)  # kept with its connection: to make one takes longer than to poll
    if poll is None:
        poll = _poll_of(transport.get_extra_info("socket"))
        setattr(protocol, _POLLER, poll)
        if getattr(protocol, "_payload", None) is None:
            return False  # it has carried no answer yet: what can be read belongs to the handshake
    return bool(poll(0))


def _poll_of(connection: Any) -> Callable[[int], Sequence[object]]:
    """Return what lists the events of a connection that could be read from now; of none if it has no socket."""
    if connection is None:
        return lambda _: ()
    if not hasattr(select, "poll"):  # Windows
        return lambda _: select.select([connection], [], [], 0)[0]
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return poller.poll
