"""The calls that the fault tests make, and clients that need not wait."""

import asyncio
from typing import Any

from linq_async import LinqClient, Upload

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


def hurry(linq: LinqClient) -> list[float]:
    """Let a client pass over its waits between attempts; return the list where they are noted."""
    waits: list[float] = []
    clock = linq._pipeline.clock

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    linq._pipeline.sleep, linq._pipeline.clock = sleep, lambda: clock() + sum(waits)
    return waits
