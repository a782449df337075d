"""A failed response is released before the next attempt: four bodies of 8 MiB must not be held at once."""

from __future__ import annotations

import gc

import pytest

from linq_async import Attempt, ServerError
from linq_async.wire.request import RawResponse
from tests.support.clients import AT_ONCE, MESSAGE, client_of, failure_of
from tests.support.loopback import Loopback, refused


def _live_responses() -> int:
    return sum(type(value) is RawResponse for value in gc.get_objects())


@pytest.mark.slow
@pytest.mark.asyncio
async def test_retry_holds_no_earlier_response() -> None:
    """At the start of each retry, no response of an earlier attempt is alive."""
    gc.collect()  # those that other tests left in cycles
    live: list[int] = []

    def count(record: Attempt) -> None:
        if not record.finished:
            live.append(_live_responses())

    async with Loopback(*[refused(503)] * 4) as server, client_of(server, retry=AT_ONCE, on_attempt=count) as linq:
        assert isinstance(await failure_of(linq.chats.create(**MESSAGE)), ServerError)
    assert live == [live[0]] * 4
