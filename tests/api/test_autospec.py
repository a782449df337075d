"""Mocks of the client that ``unittest.mock.create_autospec`` makes."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Iterator
from typing import Any
from unittest.mock import create_autospec

import pytest

from linq_async import LinqClient
from linq_async.resources.base import Resource

is_coroutine_function = inspect.iscoroutinefunction if sys.version_info >= (3, 12) else asyncio.iscoroutinefunction


def _methods() -> Iterator[Any]:
    """Return the public methods of the client and of its resources."""
    resources = [value for value in vars(LinqClient("token")).values() if isinstance(value, Resource)]
    assert len(resources) == 6
    for kind in [LinqClient, *map(type, resources)]:
        yield from (member for name, member in vars(kind).items() if inspect.isroutine(member) and name[0] != "_")


def test_a_method_that_is_awaited_is_a_coroutine_function() -> None:
    """Each method is a coroutine function exactly if it is annotated to return a coroutine or is ``async def``."""
    methods = {method.__qualname__: method for method in _methods()}
    seen = {name for name, method in methods.items() if is_coroutine_function(method)}
    awaited = {
        name
        for name, method in methods.items()
        if inspect.iscoroutinefunction(inspect.unwrap(method))
        or str(method.__annotations__["return"]).startswith("Coroutine[")
    }
    assert len(awaited) > 25
    assert seen == awaited
    assert methods.keys() - seen == {
        "LinqClient.with_options",
        "Chats.list",
        "Chats.typing",
        "Messages.list",
        "Contacts.list",
    }


@pytest.mark.asyncio
async def test_the_mock_of_a_client_can_be_awaited() -> None:
    """``create_autospec`` gives a client whose calls can be awaited and check their arguments."""
    linq = create_autospec(LinqClient("token"), instance=True)
    linq.chats.create.return_value = "the chat"
    sent = await linq.chats.create(send_from="+12223334444", phone_numbers=["+13334445555"], text="hi")
    assert sent == "the chat"
    linq.chats.create.assert_awaited_once()
    with pytest.raises(TypeError, match=r"missing a required .*argument"):
        await linq.chats.create(text="hi")
