"""The calls that the fault tests make, and clients that need not wait."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from linq_async import LinqClient, Upload
from tests.support.clock import Clock

from .matrix import Kind

CHAT = "/api/partner/v2/chats/45"
BIG = 10_000_000


async def ask(linq: LinqClient, kind: Kind, *, big: bool = False, key: str | None = None) -> Any:
    """Make a call of this kind; `big` is more than the system's buffers take."""
    if kind is Kind.POST:
        return await linq.request("POST", f"{CHAT}/start_typing")
    if kind is Kind.DELETE:
        return await linq.request("DELETE", f"{CHAT}/stop_typing")
    size = BIG // 2 if big else 1000
    files = [Upload.from_bytes(bytes(size), filename=f"{name}.png") for name in ("first", "second")]
    return await linq.chats.create(
        send_from="+15175269229",
        phone_numbers=["+13343284472", "+13344713465"],
        text="x" * BIG if big and kind is Kind.JSON else "Hello!",
        attachments=files if kind is Kind.FORM else [],
        idempotency_key=key,
    )


def hurry(linq: LinqClient, then: Callable[[], Awaitable[None]] | None = None) -> list[float]:
    """Skip a client's waits between attempts, call ``then`` after each, and return the list that records them."""
    clock = Clock()
    settings = linq._pipeline.settings

    async def sleep(seconds: float) -> None:
        await clock.skip(seconds)
        if then is not None:
            await then()

    clock.sleep = sleep

    def time() -> float:  # attempts take real time, which counts towards max_elapsed
        return settings.timing.clock() + sum(clock.sleeps)

    timing = attrs.evolve(clock.timing(settings.timing.random), clock=time)
    linq._use(linq._pipeline.with_settings(attrs.evolve(settings, timing=timing)), owns_transport=True)
    return clock.sleeps
