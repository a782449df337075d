"""Observers see each exchange as bytes, and cannot change it."""

import asyncio
import logging

import aiohttp
import pytest

from linq_async.sandbox import ObservedExchange, Sandbox, observe

from .calls import CHAT_FIELDS as FIELDS
from .calls import HEADERS, PREFIX, Api, form, head, raw

pytestmark = pytest.mark.asyncio


async def test_an_observer_sees_the_bytes_of_an_exchange(api: Api) -> None:
    """Target, headers and body of the request, and the response that the client gets, are shown."""
    seen: list[ObservedExchange] = []
    with observe(seen.append):
        reply = await api("POST", "/chats?a=%2B1", data=form(*FIELDS, files=(("a.txt", "text/plain", b"x" * 9),)))
    (one,) = seen
    assert (one.method, one.target, one.complete, one.error) == ("POST", f"{PREFIX}/chats?a=%2B1", True, None)
    assert one.headers["X-LINQ-INTEGRATION-TOKEN"] == HEADERS["X-LINQ-INTEGRATION-TOKEN"]
    assert b"xxxxxxxxx\r\n--" in one.body
    assert one.body_size == len(one.body) == int(one.headers["Content-Length"])
    assert one.response is not None
    assert (one.response.status, one.response.body) == (reply.status, reply.body)


async def test_an_observer_is_gone_after_its_block(api: Api) -> None:
    """After the block, nothing more is shown."""
    seen: list[ObservedExchange] = []
    with observe(seen.append):
        await api.create_chat()
    await api.create_chat()
    assert len(seen) == 1


async def test_an_observer_that_fails_changes_nothing(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """The client gets its answer, later observers see the exchange, and the log shows no text of it."""
    seen: list[ObservedExchange] = []

    def fail(exchange: ObservedExchange) -> None:
        raise RuntimeError(exchange.body.decode())

    with caplog.at_level(logging.ERROR), observe(fail), observe(seen.append):
        assert (await api.create_chat(text="a secret text")).status == 200
    assert len(seen) == 1
    assert "observer" in caplog.text
    assert "RuntimeError" in caplog.text
    assert "a secret text" not in caplog.text


async def test_a_lost_response_is_not_shown(api: Api, sandbox: Sandbox) -> None:
    """A response that was dropped or cut is None, and the fault says why."""
    seen: list[ObservedExchange] = []
    sandbox.faults.drop_after_storing()
    sandbox.faults.cut_body()
    with observe(seen.append):
        for _ in range(2):
            with pytest.raises(aiohttp.ClientError):
                await api("POST", "/chats", {"send_from": "?"})
    faults = [(one.response, one.fault) for one in seen if one.fault]
    assert faults == [(None, "drop_after_storing"), (None, "cut_body")]


async def test_a_request_that_breaks_off_is_not_complete() -> None:
    """The part of a body that arrived is shown as incomplete."""
    seen: list[ObservedExchange] = []
    over = asyncio.Event()
    async with Sandbox(on_request=lambda _: over.set()) as sandbox:
        _, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.base_url.rpartition(":")[2]))
        with observe(seen.append):
            writer.write(head(f"POST {PREFIX}/chats", "Host: localhost", "Content-Length: 99") + b"half")
            await writer.drain()
            writer.close()
            await asyncio.wait_for(over.wait(), 5)
    (one,) = seen
    assert (one.complete, one.body_size < 99) == (False, True)


async def test_a_request_that_the_guard_refuses_is_not_shown(sandbox: Sandbox) -> None:
    """A request from a foreign page is refused before it reaches the API, and is not shown."""
    seen: list[ObservedExchange] = []
    with observe(seen.append):
        reply = await raw(sandbox, head(f"GET {PREFIX}/chats", "Host: localhost", "Origin: http://evil.example"))
    assert reply.startswith(b"HTTP/1.1 403")
    assert seen == []
