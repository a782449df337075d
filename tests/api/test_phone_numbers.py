"""``linq.phone_numbers``."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.world import MIRA, World, failure_of

pytestmark = pytest.mark.asyncio


async def test_list(world: World) -> None:
    """``list`` returns all numbers."""
    numbers = await world.linq.phone_numbers.list()
    assert [number.phone_number for number in numbers] == list(world.sandbox.phone_numbers)
    assert {number.forwarding_number for number in numbers} == {None}


async def test_forwarding_is_set_and_cleared(world: World) -> None:
    """A forwarding number can be set, and an empty str clears it."""
    assert (await world.linq.phone_numbers.update(11, forwarding_number=MIRA)).forwarding_number == MIRA
    assert (await world.linq.phone_numbers.update(11, forwarding_number="")).forwarding_number is None


async def test_none_is_refused_with_the_way_out(world: World) -> None:
    """None is rejected, because null is not documented; the error suggests the empty str."""
    nothing: Any = None
    error = await failure_of(world.linq.phone_numbers.update(11, forwarding_number=nothing))
    assert error.message == 'forwarding_number must be a str, not NoneType; "" clears it'
    assert world.seen == []


async def test_a_number_of_somebody_else(world: World) -> None:
    """Updating a number of someone else is a PermissionDeniedError."""
    error = await failure_of(world.linq.phone_numbers.update(99, forwarding_number=MIRA))
    assert type(error).__name__ == "PermissionDeniedError"
