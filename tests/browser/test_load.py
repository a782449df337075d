"""A large sandbox shows up soon. `python -m benchmarks.inbox` prints the same figures."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from benchmarks import inbox

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]
ROOM = 2.5
"""By how much a busy machine may miss the budgets."""


async def test_2000_chats_with_20000_messages(browser: Browser) -> None:
    """The list takes 500 ms from the request, a conversation 200 from the click, and a message 100 from its storage."""
    times = await inbox.measure(browser)
    print(times)
    assert 0 < times.first_rows < 500 * ROOM
    assert 0 < times.conversation < 200 * ROOM
    assert 0 < times.live < 100 * ROOM
    assert times.longest_task < 100 * ROOM
