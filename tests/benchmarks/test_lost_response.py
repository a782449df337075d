"""The comparison of what clients do after a lost response."""

from __future__ import annotations

import pytest

from benchmarks.lost_response import described, linq_async, requests_of


@pytest.mark.asyncio
async def test_this_package_sends_twice_under_one_key() -> None:
    """The second request has the key of the first."""
    keys = await requests_of(linq_async)
    assert len(keys) == 2
    assert described(keys) == "2 requests under one key"


def test_what_is_printed() -> None:
    """Requests without a key, or with different ones, are not one message for a server."""
    assert described([None, None]) == described(["a", "b"]) == "2 requests without a common key"
    assert described(["a"]) == "1 request under one key"
