"""The departures: each one is listed in the table, is needed, and forgives no more than it says."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from linq_async import LinqClient
from linq_async.sandbox import Limits, Sandbox

from .asks import BODIES, Ask, as_form, as_json, as_urlencoded, good, with_member
from .departures import DEPARTURES, EVERY, WITH_BODY, Departure, unforgiven
from .exchange import Exchange
from .generated import LINE, MIRA, fill
from .recorder import Recorder
from .samples import ERROR, NEW_CHAT, changed, created, read, sent

TABLE = Path(__file__).with_name("departures.md")
TEXT_BYTES = 100_000
ROW = re.compile(r"^\| `([a-z-]+)` \| (client|sandbox) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
NAMES = {departure.name: departure for departure in DEPARTURES}
OPTIONAL_MEMBER = {
    "createChat": ("chat", "display_name"),
    "createContact": ("contact", "company"),
    "updateContact": ("contact", "company"),
    "patchContact": ("contact", "company"),
    "createWebhookSubscription": ("webhook_subscription", "secret"),
    "updateWebhookSubscription": ("webhook_subscription", "secret"),
}
REJECTED: dict[str, Callable[[Ask], Ask]] = {
    "listChats": lambda ask: replace(ask, query={"phone_number": "x"}),
    "findChat": lambda ask: replace(ask, query={"phone_number": "x", "phone_numbers[]": MIRA}),
    "listChatMessages": lambda ask: replace(ask, query={"sort": "up"}),
    "sendChatMessage": lambda ask: with_member(ask, "message", "text", value=" "),
    "editChatMessage": lambda ask: with_member(ask, "text", value=" "),
    "reactToChatMessage": lambda ask: with_member(ask, "type", value="hate"),
    "updateContact": lambda ask: as_json(ask, {"contact": {"company": "Northlight"}}),
    "patchContact": lambda ask: as_json(ask, {"contact": {"company": "Northlight"}}),
    "createWebhookSubscription": lambda ask: with_member(ask, "webhook_subscription", "version", value=1),
    "updateWebhookSubscription": lambda ask: with_member(ask, "webhook_subscription", "version", value=1),
    "checkIMessageAvailability": lambda ask: with_member(ask, "phone_number", value="12"),
}
# What is there already may be replaced by something that is no longer.
LONGER: dict[str, Callable[[Ask], Ask]] = {
    "editChatMessage": lambda ask: with_member(ask, "text", value="x" * 900),
    "updateContact": lambda ask: with_member(ask, "contact", "first_name", value="x" * 900),
    "patchContact": lambda ask: with_member(ask, "contact", "first_name", value="x" * 900),
    "updateWebhookSubscription": lambda ask: with_member(ask, "webhook_subscription", "secret", value="x" * 900),
}
# What has to be asked to need a departure; most answer 2xx, which a lenient server does.
ASKS: dict[str, Callable[[Ask], Ask]] = {
    "unauthorized": lambda ask: replace(ask, token={}),
    "unreadable": lambda ask: replace(ask, body=b"{", kind="application/json"),
    "missing-parameter": lambda ask: as_json(replace(ask, query={}), {}),
    "rejected-value": lambda ask: REJECTED[ask.operation](ask),
    "unknown-id": lambda ask: replace(ask, ids=dict.fromkeys(ask.ids, 999_999)),
    "unknown-subscription": lambda ask: replace(ask, ids=dict.fromkeys(ask.ids, 999_999)),
    "too-large": lambda ask: replace(ask, body=b" " * (TEXT_BYTES + 1), kind="application/json"),
    "request-id": lambda ask: ask,
    "json-message": lambda ask: as_json(ask, BODIES[ask.operation]),
    "form-for-json": lambda ask: as_form(ask, BODIES[ask.operation]),
    "urlencoded": lambda ask: as_urlencoded(ask, BODIES[ask.operation]),
    "inferred-form": lambda ask: as_form(ask, BODIES[ask.operation]),
    "unknown-name-in-body": lambda ask: with_member(ask, "surplus", value="1"),
    "unknown-name-in-query": lambda ask: replace(ask, query={**ask.query, "surplus": "1"}),
    "unread-body": lambda ask: as_json(ask, {"surplus": 1}),
    "null-is-nothing": lambda ask: with_member(ask, *OPTIONAL_MEMBER[ask.operation], value=None),
    "paging-as-it-comes": lambda ask: replace(ask, query={**ask.query, "page": "two", "per_page": "101"}),
    "loose-time": lambda ask: replace(ask, query={"before": "2025-05-21"}),
}
REFUSALS = {
    "unauthorized",
    "unreadable",
    "missing-parameter",
    "rejected-value",
    "unknown-id",
    "unknown-subscription",
    "too-large",
}


def _is_needed(departure: Departure, exchange: Exchange) -> None:
    others = [other for other in DEPARTURES if other is not departure]
    assert unforgiven(exchange) == []
    assert unforgiven(exchange, others), f"{exchange} needs no {departure.name}"


@pytest.mark.parametrize("name", ASKS)
@pytest.mark.asyncio
async def test_each_is_needed(name: str, recorder: Recorder) -> None:
    """For every operation that a departure names, the sandbox does what the contract does not have."""
    departure = NAMES[name]
    limits = Limits(text_bytes=TEXT_BYTES)
    async with Sandbox(imessage_interval=0.0, limits=limits) as sandbox, aiohttp.ClientSession() as session:
        for operation in sorted(departure.operations):
            sandbox.reset()
            fill(sandbox._state)
            status = await ASKS[name](good(operation)).send(session, sandbox.base_url)
            assert (status >= 400) == (name in REFUSALS), operation
            _is_needed(departure, recorder.exchanges[-1])
    recorder.raise_failures()


@pytest.mark.asyncio
async def test_a_full_sandbox_is_a_known_departure(recorder: Recorder) -> None:
    """A sandbox without room refuses everything that stores with a 507 that is not documented."""
    departure = NAMES["storage-full"]
    async with Sandbox(limits=Limits(memory_bytes=1)) as sandbox, aiohttp.ClientSession() as session:
        fill(sandbox._state)
        for operation in sorted(departure.operations):
            usual = good(operation)
            ask = LONGER[operation](usual) if operation in LONGER else usual
            assert await ask.send(session, sandbox.base_url) == 507, operation
            _is_needed(departure, recorder.exchanges[-1])
    recorder.raise_failures()


@pytest.mark.asyncio
async def test_the_pace_is_a_known_departure(recorder: Recorder) -> None:
    """A second iMessage check at once is refused with a Retry-After that is not documented."""
    async with Sandbox() as sandbox, aiohttp.ClientSession() as session:
        ask = good("checkIMessageAvailability")
        assert [await ask.send(session, sandbox.base_url) for _ in range(2)] == [200, 429]
    _is_needed(NAMES["retry-after"], recorder.exchanges[-1])


SMALL_FILE = Path(__file__)
CLIENT: dict[str, Callable[[LinqClient], Awaitable[object]]] = {
    "client-form": lambda linq: linq.chats.create(
        send_from=LINE, phone_numbers=[MIRA], text="Hello!", attachments=[SMALL_FILE]
    ),
    "client-null": lambda linq: linq.contacts.update(7001, first_name="Mira", company=None),
}


@pytest.mark.parametrize("name", CLIENT)
@pytest.mark.asyncio
async def test_each_of_the_clients_is_needed(name: str, recorder: Recorder) -> None:
    """The client does on purpose what the contract does not have, and the sandbox takes it."""
    async with Sandbox() as sandbox, LinqClient(sandbox.token, base_url=sandbox.base_url) as linq:
        fill(sandbox._state)
        await CLIENT[name](linq)
    _is_needed(NAMES[name], recorder.exchanges[-1])


def test_none_is_without_proof() -> None:
    """Every departure is needed by one of the tests above."""
    assert {*ASKS, *CLIENT, "retry-after", "storage-full"} == set(NAMES)


def test_the_table_is_whole() -> None:
    """The table lists every departure, in order, with its side and its operations, and of nothing else."""
    told = [(name, side, operations) for name, side, operations, _, _ in ROW.findall(TABLE.read_text(encoding="utf-8"))]
    assert told == [(one.name, one.side, _told(one.operations)) for one in DEPARTURES]


def _told(operations: frozenset[str]) -> str:
    """Write operations as the table does."""
    groups = {"all": EVERY, "all with a body": WITH_BODY, "all without a body": EVERY - WITH_BODY}
    texts = [text for text, group in groups.items() if group == operations]
    for text, group in groups.items():
        if operations < group:
            texts.append(f"{text} but {', '.join(sorted(group - operations))}")
    texts.append(", ".join(sorted(operations)))
    return min(texts, key=len)


AGENT = {"User-Agent": "linq-async/1.0 python/3.11"}


def _by_client(exchange: Exchange) -> Exchange:
    return replace(exchange, request_headers={**exchange.request_headers, **AGENT})


STILL_WRONG = {
    "the client sends a message as JSON": replace(created(), url=sent().url, status=None),
    "the client leaves the token out": replace(created(), request_headers={"Content-Type": "application/json"}),
    "the client sends an unknown name": created(changed(NEW_CHAT, 1, "surplus")),
    "the client creates with null": created(changed(NEW_CHAT, None, "send_from")),
    "the client asks for a page of 101": read("/contacts?per_page=101", None, 429),
    "the client is refused what was wrong": created({}, ERROR, 400),
}


@pytest.mark.parametrize("name", STILL_WRONG)
def test_the_client_is_forgiven_little(name: str) -> None:
    """What a lenient sandbox takes from others is still wrong if the client sends it."""
    assert unforgiven(_by_client(STILL_WRONG[name]))


def test_a_bad_request_that_is_taken_fails() -> None:
    """A wrong request by hand may be refused, but not accepted unless a departure allows it."""
    exchange = created({})
    assert unforgiven(exchange)
    assert unforgiven(replace(exchange, status=None)) == []
