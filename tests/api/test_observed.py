"""Each of the 29 operations as ``on_call`` sees it."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from linq_async import CallInfo
from linq_async.wire.request import API
from tests.support.world import World

from .operations import OPERATIONS, Operation


@pytest.mark.asyncio
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_an_operation_is_one_call(filled: World, operation: Operation) -> None:
    """An operation is seen once, by its name, its method and its route, whose ids are not filled in."""
    seen: list[CallInfo] = []

    @contextmanager
    def observe(info: CallInfo) -> Generator[None]:
        seen.append(info)
        yield

    filled.linq = filled.linq.with_options(on_call=observe)
    await operation.call(filled)
    (info,) = seen
    assert (info.operation, info.method) == (operation.name, operation.method)
    assert info.route is not None
    assert re.sub(r"\{\w+\}", "{}", info.route) == API + re.sub(r"\{\w+\}", "{}", operation.path)


@pytest.mark.asyncio
async def test_each_request_of_other_methods_is_a_call(filled: World) -> None:
    """Each page of a list is a call, and each poll of a message; so is ``linq.request``, whose path is not shown."""
    seen: list[tuple[str, str | None]] = []

    @contextmanager
    def observe(info: CallInfo) -> Generator[None]:
        seen.append((f"{info.operation} {info.method}", info.route))
        yield

    linq = filled.linq.with_options(on_call=observe)
    await linq.messages.send(filled.chat_id, "Hello again!")
    assert len([item async for item in linq.messages.list(filled.chat_id, per_page=1)]) == 2
    await linq.messages.wait_until_delivered(filled.chat_id, filled.message_id)
    await linq.request("get", "/api/partner/v2/phone_numbers")
    messages = f"{API}/chats/{{chat_id}}/chat_messages"
    polls = [("messages.wait_until_delivered GET", f"{messages}/{{message_id}}")]
    assert [call for call in seen if call not in polls] == [
        ("messages.send POST", messages),
        *[("messages.list GET", messages)] * 2,
        ("request GET", None),
    ]
    assert len(seen) == len(filled.sandbox.requests)
