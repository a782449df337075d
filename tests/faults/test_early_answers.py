"""Responses that come before the request was sent, or that end exactly at the size limit."""

from __future__ import annotations

import asyncio
import json

import pytest

from linq_async import DecodeError, LinqClient, LinqError, Outcome, RetryPolicy
from tests.support.http_messages import created_chat, response
from tests.support.script import At, Behaviour, Exchange
from tests.support.scripted_server import ScriptedServer

from . import answers
from .calls import CHAT, ask
from .matrix import Kind

CAP = 4_096


@pytest.mark.asyncio
async def test_a_success_that_comes_early_ends_the_upload_and_its_connection() -> None:
    """A 201 that comes before the body is read is the result; what is left of the body spoils no later request."""
    whole: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def act(exchange: Exchange) -> None:
        await exchange.send(response(201, json.dumps(created_chat(900001, "Hello!")).encode()))
        for _ in range(20):
            await asyncio.sleep(0)
        whole.set_result(await exchange.skip_body())

    early = Behaviour("answer 201 before the body is read, then read on", act, At.HEAD)
    async with ScriptedServer([early]) as server, LinqClient("token", base_url=server.url) as linq:
        first = await ask(linq, Kind.FORM, big=True)
        second = await ask(linq, Kind.FORM)
        assert not await whole
    assert [(chat.attempts, chat.message.id) for chat in (first, second)] == [(1, 900001), (1, server.stored[0].id)]
    assert (server.connections, len(server.stored)) == (2, 1)


@pytest.mark.asyncio
@pytest.mark.parametrize("more", [1, CAP])
async def test_an_answer_whose_first_packet_ends_at_the_cap(more: int) -> None:
    """An answer over the cap is refused as such, wherever its packets end: it is never taken for a shorter one."""

    async def act(exchange: Exchange) -> None:
        body = json.dumps({"x": "y" * (CAP + more)}).encode()
        await exchange.send(response(200, None, {"Content-Length": str(len(body))}))
        for piece in (body[:CAP], body[CAP:]):
            await exchange.later()
            await exchange.send(piece)

    async with (
        ScriptedServer([Behaviour("send more than the cap, in two packets", act)]) as server,
        LinqClient("token", base_url=server.url, retry=RetryPolicy.none(), max_response_bytes=CAP) as linq,
    ):
        with pytest.raises(DecodeError) as caught:
            await linq.request("GET", CHAT)
    assert (caught.value.outcome, list(caught.value.paths)) == (Outcome.SENT, ["$"])


@pytest.mark.asyncio
@pytest.mark.parametrize(("status", "outcome"), [(200, "sent"), (299, "sent"), (300, "unknown")])
async def test_the_whole_of_2xx_counts_as_taken(status: int, outcome: str) -> None:
    """An answer that is cut is SENT from 200 to 299, and from 300 on a refusal that says little."""
    async with (
        ScriptedServer([answers.cut_status(status)]) as server,
        LinqClient("token", base_url=server.url, retry=RetryPolicy.none()) as linq,
    ):
        with pytest.raises(LinqError) as caught:
            await ask(linq, Kind.JSON)
    assert caught.value.outcome.value == outcome
