"""A scripted server for tests that care about responses and not about bytes.

Example:
    async with Loopback(refused(503), HANG_UP, CREATED) as server, client_of(server, retry=AT_ONCE) as linq:
        chat = await linq.chats.create(**MESSAGE)
    assert (chat.attempts, server.keys) == (3, [chat.idempotency_key] * 3)
"""

from __future__ import annotations

import ssl

from .replies import CREATED, CREATED_CHAT, Reply, refused, replied
from .script import Step
from .scripted_server import ScriptedServer
from .store import Seen

__all__ = ["CREATED", "CREATED_CHAT", "HANG_UP", "Loopback", "Reply", "Seen", "Step", "refused", "replied"]

HANG_UP = None


class Loopback(ScriptedServer):
    """Takes the steps as arguments, and then creates a chat for each request."""

    def __init__(self, *script: Step, default: Step = CREATED, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(script, default=default, tls=tls)
