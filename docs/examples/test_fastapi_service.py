"""Tests of the service with the fixtures of ``linq_async``: nothing is mocked. Run them with ``pytest``."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi_service import app, bot

from linq_async import LinqClient
from linq_async.integrations.fastapi import linq_client
from linq_async.sandbox import Sandbox
from linq_async.testing import LinqBot

PERSON = "+13343284472"


@pytest.fixture
def service(linq: LinqClient) -> Iterator[httpx.AsyncClient]:
    """Call the service, whose handlers get the client of the test."""
    app.dependency_overrides[linq_client] = lambda: linq
    yield httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")
    app.dependency_overrides.clear()


@pytest.mark.asyncio
async def test_a_repeated_request_texts_once(service: httpx.AsyncClient, linq_sandbox: Sandbox) -> None:
    """The second request returns the message of the first one."""
    responses = [await service.post("/visits/7/reminder", json={"number": PERSON}) for _ in range(2)]
    assert [response.status_code for response in responses] == [202, 202]
    assert responses[0].json() == responses[1].json()
    assert [message.text for message in linq_sandbox.messages] == ["See you at nine."]


@pytest.mark.asyncio
async def test_a_wrong_number_is_a_problem(service: httpx.AsyncClient, linq_sandbox: Sandbox) -> None:
    """The caller gets problem details, without the number."""
    response = await service.post("/visits/7/reminder", json={"number": "nobody"})
    assert (response.status_code, response.json()["outcome"]) == (422, "not_sent")
    assert linq_sandbox.messages == []


@pytest.mark.asyncio
async def test_an_outage_is_a_problem(service: httpx.AsyncClient, linq_sandbox: Sandbox) -> None:
    """If it is not known whether the text was sent, the caller gets its key and may repeat the request."""
    linq_sandbox.faults.drop_after_storing(times=4)
    response = await service.post("/visits/7/reminder", json={"number": PERSON})
    assert (response.status_code, response.json()["idempotency_key"]) == (504, "visit-7")
    assert (await service.post("/visits/7/reminder", json={"number": PERSON})).status_code == 202
    assert len(linq_sandbox.messages) == 1


@pytest.mark.asyncio
async def test_a_message_is_answered_once(
    linq_bot: LinqBot, linq_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that two subscriptions deliver has one answer."""
    monkeypatch.chdir(tmp_path)  # for the inbox
    linq_sandbox.deliveries.twice_with_new_id()
    async with linq_bot(bot):
        await linq_sandbox.receive(from_=PERSON, text="Are you open?")
        await linq_sandbox.delivered()
        await bot.idle()
    assert [message.text for message in linq_sandbox.messages if message.from_me] == [
        "Thank you! We will call you back."
    ]
