"""Scripted faults: each one, their order, and whom they concern."""

import asyncio
from typing import Any

import aiohttp
import pytest

from linq_async.sandbox import Sandbox

from .calls import CHAT_FIELDS, HEADERS, LINE, MIRA, PREFIX, THEO, Api, form, new_chat


@pytest.mark.asyncio
async def test_an_answer_is_given_as_often_as_scripted(api: Api, sandbox: Sandbox) -> None:
    """The scripted status and headers come twice, nothing is stored, then all is well."""
    sandbox.faults.answer(503, headers={"Retry-After": "0"}, times=2)
    replies = [await api.create_chat("one") for _ in range(3)]
    assert [reply.status for reply in replies] == [503, 503, 200]
    assert replies[0].headers["Retry-After"] == "0"
    assert replies[0].error["code"] == "service_unavailable"
    assert (len(sandbox.messages), sandbox.faults.pending) == (1, 0)
    attempts = sandbox.requests.by_key()["one"]
    assert [(one.attempt, one.status, one.fault) for one in attempts] == [
        (1, 503, "answer 503"),
        (2, 503, "answer 503"),
        (3, 200, None),
    ]


@pytest.mark.asyncio
async def test_an_answer_may_have_any_body(api: Api, sandbox: Sandbox) -> None:
    """Text goes out as a proxy's page, a value as JSON, and a redirect empty."""
    sandbox.faults.answer(502, body="<html>Bad gateway</html>")
    sandbox.faults.answer(200, json={"data": []})
    sandbox.faults.answer(302, headers={"Location": "https://example.com/"})
    page, value = await api.create_chat(), await api.create_chat()
    redirect = await api("POST", "/chats", new_chat(), allow_redirects=False)
    assert (page.status, page.body) == (502, b"<html>Bad gateway</html>")
    assert page.headers["Content-Type"].startswith("text/html")
    assert (value.status, value.json) == (200, {"data": []})
    assert (redirect.status, redirect.body) == (302, b"")


@pytest.mark.asyncio
async def test_uploads_of_a_refused_request_are_not_kept(api: Api, sandbox: Sandbox) -> None:
    """A large file that came with a scripted answer is deleted with it, and comes whole the next time."""
    sandbox.faults.answer(503)
    replies = [
        await api("POST", "/chats", data=form(*CHAT_FIELDS, files=(("a.bin", "", b"x" * 2_000_000),))) for _ in range(2)
    ]
    assert [reply.status for reply in replies] == [503, 200]
    assert [entry.size > 2_000_000 for entry in sandbox.requests] == [True, True]
    assert [attachment.size for attachment in sandbox.messages[0].attachments] == [2_000_000]


@pytest.mark.asyncio
async def test_a_drop_before_storing_stores_nothing(api: Api, sandbox: Sandbox) -> None:
    """The connection is reset and no message is there; the log says so."""
    sandbox.faults.drop_before_storing()
    with pytest.raises(aiohttp.ClientConnectionError):
        await api.create_chat("one")
    assert sandbox.messages == []
    (entry,) = sandbox.requests
    assert (entry.status, entry.fault, entry.idempotency_key) == (None, "drop_before_storing", "one")
    assert entry.size > 0


@pytest.mark.asyncio
async def test_a_drop_after_storing_stores_the_message(api: Api, sandbox: Sandbox) -> None:
    """The connection is reset, but the message is there, and a repeat finds it."""
    sandbox.faults.drop_after_storing()
    with pytest.raises(aiohttp.ClientConnectionError):
        await api.create_chat("one")
    (message,) = sandbox.messages
    assert (await api.create_chat("one")).json["data"]["chat_messages"]["id"] == message.id
    assert [entry.status for entry in sandbox.requests] == [None, 200]


@pytest.mark.asyncio
async def test_a_cut_body_has_its_status_and_half_its_bytes(api: Api, sandbox: Sandbox) -> None:
    """Status and length are seen, then the body breaks off; the message is stored."""
    sandbox.faults.cut_body()
    async with api.session.post(f"{PREFIX}/chats", json=new_chat("one")) as response:
        assert response.status == 200
        length = int(response.headers["Content-Length"])
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    whole = await api.create_chat("one")
    assert len(whole.body) == length
    assert len(sandbox.messages) == 1
    assert (sandbox.requests[0].status, sandbox.requests[0].fault) == (200, "cut_body")


@pytest.mark.asyncio
async def test_an_answer_without_a_body_is_cut_to_nothing(api: Api, sandbox: Sandbox) -> None:
    """If there is nothing to cut, the connection is reset after the work was done."""
    chat_id, _ = await api.new_message()
    sandbox.faults.cut_body()
    with pytest.raises(aiohttp.ClientConnectionError):
        await api("POST", f"/chats/{chat_id}/start_typing")
    assert sandbox.chats[0].typing


@pytest.mark.asyncio
async def test_a_delay_holds_back_the_answer_not_the_message(api: Api, sandbox: Sandbox) -> None:
    """A caller who gives up on a slow answer finds the message stored."""
    sandbox.faults.delay(60)
    with pytest.raises(asyncio.TimeoutError):
        await api("POST", "/chats", new_chat("slow"), timeout=aiohttp.ClientTimeout(total=0.1))
    assert [message.idempotency_key for message in sandbox.messages] == ["slow"]
    assert (sandbox.requests[0].status, sandbox.requests[0].fault) == (None, "delay 60")


@pytest.mark.asyncio
async def test_a_delay_combines_with_the_next_fault(api: Api, sandbox: Sandbox) -> None:
    """A delay and the fault after it meet in one request; two delays do not."""
    sandbox.faults.delay(0.001, times=2)
    sandbox.faults.delay(0.002)
    sandbox.faults.answer(500)
    replies = [await api.create_chat() for _ in range(4)]
    assert [entry.fault for entry in sandbox.requests] == [
        "delay 0.001",
        "delay 0.001",
        "delay 0.002 + answer 500",
        None,
    ]
    assert [reply.status for reply in replies] == [200, 200, 500, 200]


@pytest.mark.asyncio
async def test_faults_come_in_the_order_given(api: Api, sandbox: Sandbox) -> None:
    """Faults are used up one after another."""
    for status in (500, 429, 503):
        sandbox.faults.answer(status)
    assert [(await api.create_chat()).status for _ in range(4)] == [500, 429, 503, 200]


@pytest.mark.asyncio
@pytest.mark.parametrize("number", [MIRA, "3343284472", LINE])
async def test_a_fault_may_concern_one_number(api: Api, sandbox: Sandbox, number: str) -> None:
    """Only requests with the number in JSON, a form, a query, or by way of their chat are met."""
    theo = await api.create_chat(phone_numbers=[THEO], send_from=sandbox.phone_numbers[1])
    chat_id, _ = await api.new_message()
    sandbox.faults.answer(500, times=9, phone_number=number)
    other_chat = theo.json["data"]["id"]
    fields = (("send_from", LINE), ("chat[phone_numbers][]", MIRA), ("message[text]", "x"))
    met = [
        (await api.create_chat()).status,
        (await api("POST", "/chats", data=form(*fields))).status,
        (await api("GET", "/chats", params={"phone_number": number})).status,
        (await api("GET", f"/chats/{chat_id}")).status,
    ]
    unmet = [
        (await api.create_chat(phone_numbers=[THEO], send_from=sandbox.phone_numbers[1])).status,
        (await api("GET", f"/chats/{other_chat}")).status,
        (await api("GET", "/phone_numbers")).status,
    ]
    assert (met, unmet) == ([500] * 4, [200] * 3)
    assert sandbox.faults.pending == 5


@pytest.mark.asyncio
async def test_a_fault_may_concern_one_path_and_method(api: Api, sandbox: Sandbox) -> None:
    """Other methods and paths pass by."""
    sandbox.faults.answer(500, path="/chats", method="post")
    others = [await api("GET", "/contacts"), await api("GET", "/chats", params={"phone_number": LINE})]
    assert [reply.status for reply in others] == [200, 200]
    assert (await api.create_chat()).status == 500


@pytest.mark.asyncio
async def test_faults_are_cleared(api: Api, sandbox: Sandbox) -> None:
    """After clear() nothing goes wrong any more."""
    sandbox.faults.answer(500, times=100)
    assert repr(sandbox.faults) == "<Faults: answer 500 x100>"
    sandbox.faults.clear()
    assert (await api.create_chat()).status == 200


@pytest.mark.parametrize(
    ("name", "arguments", "options"),
    [
        ("answer", (199,), {}),
        ("answer", (600,), {}),
        ("answer", (True,), {}),
        ("answer", ("503",), {}),
        ("answer", (503.0,), {}),
        ("answer", (500,), {"json": {}, "body": "x"}),
        ("answer", (500,), {"headers": {"X": "a\r\nb"}}),
        ("answer", (500,), {"times": 0}),
        ("answer", (500,), {"times": 1.5}),
        ("answer", (500,), {"phone_number": "12"}),
        ("delay", (-1,), {}),
        ("delay", (float("nan"),), {}),
        ("delay", (float("inf"),), {}),
        ("cut_body", (), {"times": True}),
    ],
)
def test_wrong_scripts_are_refused(name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    """An impossible fault is refused when it is scripted, and is not queued."""
    sandbox = Sandbox()
    with pytest.raises(ValueError, match=r"must|not both|not a phone number"):
        getattr(sandbox.faults, name)(*arguments, **options)
    assert sandbox.faults.pending == 0


def test_a_misspelt_argument_is_refused() -> None:
    """An unknown argument is a TypeError that names it."""
    script: Any = Sandbox().faults.cut_body
    with pytest.raises(TypeError, match="phone"):
        script(phone="+12025550101")


@pytest.mark.asyncio
async def test_closing_does_not_wait_for_a_delay() -> None:
    """A sandbox closes at once while an answer is held back."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(headers=HEADERS) as session:
        sandbox.faults.delay(600)
        url, timeout = f"{sandbox.base_url}{PREFIX}/chats", aiohttp.ClientTimeout(total=0.1)
        with pytest.raises(asyncio.TimeoutError):
            await session.post(url, json=new_chat(), timeout=timeout)
        async with asyncio.timeout(2):
            await sandbox.close()
    assert sandbox.requests[0].status is None
