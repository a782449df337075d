"""A loop whose time can be moved on, so that a time limit is reached without waiting for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from tests.support.script import Behaviour, Exchange


class MovableLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock that a test can put forward."""

    ahead = 0.0

    def time(self) -> float:
        """Return the time, with what it was put forward."""
        return super().time() + self.ahead


def advance(seconds: float) -> None:
    """Put the running loop's clock forward."""
    loop: Any = asyncio.get_running_loop()
    loop.ahead += seconds


async def pass_by(seconds: float) -> None:
    """Put the clock forward, and by the second more that a client grants a loop which seems to have been busy."""
    advance(seconds)
    for _ in range(5):
        await asyncio.sleep(0)
    advance(1.0)


def after(seconds: float, then: Behaviour) -> Behaviour:
    """Put the loop's clock forward by these seconds, then act."""

    async def act(exchange: Exchange) -> None:
        await pass_by(seconds)
        await then.act(exchange)

    return replace(then, name=f"{then.name}, for {seconds:g} s", act=act)


def head_then_silence(seconds: float) -> Behaviour:
    """Take the request, send status and headers, and let these seconds pass once the client has read them."""

    async def act(exchange: Exchange) -> None:
        await exchange.send_head()
        for _ in range(20):
            await asyncio.sleep(0)
        await pass_by(seconds)
        await exchange.wire.gone()

    return Behaviour(f"send status and headers, then nothing for {seconds:g} s", act, stores=True)
