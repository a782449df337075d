"""Whether an idle connection can carry another request. The system is asked: a busy loop may not have looked yet."""

from __future__ import annotations

import asyncio
import select
from typing import Any

_POLL = getattr(select, "poll", None)  # Windows has none


def is_stale(protocol: Any, transport: asyncio.WriteTransport | None) -> bool:
    """Return whether a connection that waited in the pool was closed, or written on, meanwhile.

    Whatever arrives unasked would be taken for the answer to the next request. Over TLS it may be a mere record of the
    protocol: then leaving the connection costs one handshake more.
    """
    if transport is None or transport.is_closing():
        return True
    if getattr(protocol, "_payload", None) is None:
        return False  # it has carried no answer yet: what can be read belongs to the handshake
    connection = transport.get_extra_info("socket")
    if connection is None:
        return False
    if _POLL is None:
        return bool(select.select([connection], [], [], 0)[0])
    poll = _POLL()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
