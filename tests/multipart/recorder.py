"""The steps of a server that records every body, and rejects, resets or stalls as scripted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tests.support.replies import replied
from tests.support.script import At, Behaviour, Exchange, Step, behaviour_of
from tests.support.scripted_server import ScriptedServer

CREATED_CHAT: dict[str, Any] = {
    "data": {
        "id": 45,
        "chat_handles": [],
        "chat_messages": {"id": 16470817, "text": "Hello!", "attachments": []},
    }
}


async def _reset(exchange: Exchange) -> None:
    exchange.wire.reset()


async def _stall(exchange: Exchange) -> None:
    await exchange.server.released.wait()
    exchange.wire.reset()


async def _reject_and_close(exchange: Exchange) -> None:
    await exchange.send(replied({"errors": []}, 503, Connection="close").encode())
    exchange.wire.close()


async def _reject_and_read_on(exchange: Exchange) -> None:
    await exchange.send(replied({"errors": []}, 503).encode())
    await exchange.read_body()


async def _reject_and_stall(exchange: Exchange) -> None:
    await exchange.send(replied({"errors": []}, 503).encode())
    await _stall(exchange)


CREATE = replace(behaviour_of(replied(CREATED_CHAT, 201)), name="answer 201")
BUSY = replace(behaviour_of(replied({"errors": []}, 503)), name="answer 503")
RESET = Behaviour("reset in the middle of the body", _reset, At.MID_BODY)
EARLY_CLOSE = Behaviour("answer 503 before the body is read, and close", _reject_and_close, At.HEAD)
EARLY_OPEN = Behaviour("answer 503 before the body is read, and read on", _reject_and_read_on, At.HEAD)
EARLY_STALL = Behaviour("answer 503 before the body is read, and neither read nor close", _reject_and_stall, At.HEAD)
STALL = Behaviour("stop reading in the middle of the body", _stall, At.MID_BODY)


class Recorder(ScriptedServer):
    """A scripted server that creates a chat for each request after the script."""

    def __init__(self, script: Iterable[Step] = ()) -> None:
        super().__init__(script, default=CREATE)
