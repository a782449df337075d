"""Every error of a call names its operation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from linq_async import DecodeError, DeliveryTimeoutError, InvalidArgumentError, KeyReusedError
from tests.support.world import LINE, MIRA, World, failure_of

from .operations import OPERATIONS, Operation

pytestmark = pytest.mark.asyncio

each = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
decoding = pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.gives], ids=lambda o: o.name)
ANOTHER_MESSAGE = {"id": 1, "text": "Somebody else booked a table."}


@each
async def test_an_error_of_the_server_names_the_operation(filled: World, operation: Operation) -> None:
    """A status outside 2xx is an error of the operation that was called."""
    filled.sandbox.faults.answer(400)
    assert (await failure_of(operation.call(filled))).operation == operation.name


@decoding
async def test_an_error_of_the_decoder_names_the_operation(filled: World, operation: Operation) -> None:
    """A body that cannot be decoded is an error of the operation that was called."""
    filled.sandbox.faults.answer(200, json={"data": 5})
    error = await failure_of(operation.call(filled))
    assert (type(error), error.operation) == (DecodeError, operation.name)


@each
async def test_an_error_of_the_client_names_the_operation(filled: World, operation: Operation) -> None:
    """A call on a closed client is an error of the operation that was called, before its first attempt."""
    await filled.linq.aclose()
    error = await failure_of(operation.call(filled))
    assert (error.attempts, error.operation) == (0, operation.name)


async def test_invalid_arguments_name_the_operation(filled: World) -> None:
    """Calls that are refused before anything is sent name their operation, too."""
    linq, empty = filled.linq, ""
    calls: dict[str, Any] = {
        "chats.create": linq.chats.create(send_from=LINE, phone_numbers=[], text="Hello!"),
        "chats.get": linq.chats.get(-1),
        "messages.send": linq.messages.send(filled.chat_id, empty),
        "request": linq.request("GET", empty),
    }
    for operation, call in calls.items():
        error = await failure_of(call)
        assert (type(error), error.operation) == (InvalidArgumentError, operation)


async def test_a_reused_key_names_the_operation(filled: World) -> None:
    """A key that belongs to another message is an error of its send, on the server as in the client's memory."""
    send, chat_id = filled.linq.messages.send, filled.chat_id
    filled.sandbox.faults.answer(200, json={"data": ANOTHER_MESSAGE})
    shown = await failure_of(send(chat_id, "See you at nine.", idempotency_key="visit-7"))
    await send(chat_id, "See you at nine.", idempotency_key="visit-8")
    remembered = await failure_of(send(chat_id, "We open at ten.", idempotency_key="visit-8"))
    assert (type(shown), type(remembered)) == (KeyReusedError, InvalidArgumentError)
    assert (shown.operation, remembered.operation) == ("messages.send", "messages.send")


async def test_a_delivery_timeout_names_the_operation(filled: World) -> None:
    """``wait_until_delivered`` is an operation, too."""
    filled.sandbox.deliver_after = None
    error = await failure_of(filled.linq.messages.wait_until_delivered(filled.chat_id, filled.message_id, timeout=1))
    assert (type(error), error.operation) == (DeliveryTimeoutError, "messages.wait_until_delivered")


async def test_an_unreadable_attachment_names_the_operation(filled: World) -> None:
    """A file that cannot be measured is an error of the send that it belongs to."""
    call = filled.linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Hi", attachments=[Path("/nowhere.png")])
    error = await failure_of(call)
    assert error.operation == "chats.create"
