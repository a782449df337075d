"""The changes of a sandbox: every write publishes one, and a reader can follow, fall behind or fail."""

import ast
import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest

import linq_async.sandbox
from linq_async.sandbox import Change, Changes, ChangesLostError, Event, Sandbox
from linq_async.sandbox import events as happened
from linq_async.sandbox.api.routes import ROUTES
from linq_async.sandbox.threaded import ThreadedSandbox

from .calls import LINE, MIRA, Api, new_chat
from .replay import apply, empty_view, view_of

SOURCE = Path(linq_async.sandbox.__file__).parent
SUBSCRIPTION = {
    "webhook_subscription": {"webhook_url": "https://example.com/hook", "events": ["message.sent"], "version": 2}
}
# Each operation that writes, in an order in which all succeed, with what it must publish.
WRITES: list[tuple[str, str, str, Any, tuple[type, ...]]] = [
    ("POST", "/chats", "", new_chat(), (happened.ChatCreated, happened.MessageStored, happened.DeliveryStatusChanged)),
    ("POST", "/chats/{chat_id}/start_typing", "", None, (happened.TypingChanged,)),
    ("DELETE", "/chats/{chat_id}/stop_typing", "", None, (happened.TypingChanged,)),
    ("PUT", "/chats/{chat_id}/mark_as_read", "", None, (happened.MessageRead,)),
    ("POST", "/chats/{chat_id}/share_contact", "", None, (happened.ContactCardShared,)),
    (
        "POST",
        "/chats/{chat_id}/chat_messages",
        "",
        {"message": {"text": "Two"}},
        (happened.MessageStored, happened.DeliveryStatusChanged),
    ),
    ("POST", "/chats/{chat_id}/chat_messages/{id}/edit", "900001", {"text": "New"}, (happened.MessageEdited,)),
    (
        "POST",
        "/chat_messages/{chat_message_id}/reactions",
        "",
        {"type": "love", "operation": "add"},
        (happened.ReactionAdded,),
    ),
    (
        "POST",
        "/chat_messages/{chat_message_id}/reactions",
        "",
        {"type": "like", "operation": "add"},
        (happened.ReactionRemoved, happened.ReactionAdded),
    ),
    ("DELETE", "/chats/{chat_id}/chat_messages/{id}", "900002", None, (happened.MessageDeleted,)),
    ("POST", "/contacts", "", {"contact": {"first_name": "Mira"}}, (happened.ContactCreated,)),
    ("PUT", "/contacts/{id}", "7001", {"contact": {"first_name": "Theo"}}, (happened.ContactUpdated,)),
    ("PATCH", "/contacts/{id}", "7001", {"contact": {"email": "t@example.org"}}, (happened.ContactUpdated,)),
    ("DELETE", "/contacts/{id}", "7001", None, (happened.ContactDeleted,)),
    ("PUT", "/phone_numbers/{id}", "11", {"forwarding_number": MIRA}, (happened.PhoneNumberUpdated,)),
    ("POST", "/webhook_subscriptions", "", SUBSCRIPTION, (happened.SubscriptionCreated,)),
    (
        "PUT",
        "/webhook_subscriptions/{webhook_subscription_id}",
        "",
        SUBSCRIPTION,
        (happened.SubscriptionUpdated,),
    ),
    ("DELETE", "/webhook_subscriptions/{webhook_subscription_id}", "", None, (happened.SubscriptionDeleted,)),
]
# Not a GET, but it stores nothing that anybody can see.
CHECK = ("POST", "/i_message_availability/check")


def _path(path: str, id_: str) -> str:
    return path.format(chat_id=8101, id=id_, chat_message_id=900001, webhook_subscription_id=640)


def test_every_writing_operation_is_in_the_table() -> None:
    """The table of writes names every operation of the API that is not a read."""
    writing = {(route.method, route.path) for route in ROUTES if route.method != "GET"}
    assert {(method, path) for method, path, *_ in WRITES} == writing - {CHECK}


@pytest.mark.asyncio
async def test_every_write_publishes_and_a_replay_gives_the_same_view(api: Api, sandbox: Sandbox) -> None:
    """Each write publishes its events in order, and after each of them the replayed changes equal the sandbox."""
    view = empty_view()
    view["phone_numbers"] = view_of(sandbox)["phone_numbers"]
    for method, path, id_, body, expected in WRITES:
        before = sandbox.changes.number
        reply = await api(method, _path(path, id_), body)
        assert reply.status < 300, (method, path, reply.body)
        new = sandbox.changes.since(before)
        for change in new:
            apply(view, change.event)
        kinds = [type(change.event) for change in new]
        assert kinds == [happened.RequestReceived, *expected, happened.RequestFinished], (method, path)
        assert view == view_of(sandbox), (method, path)


@pytest.mark.asyncio
async def test_what_changes_nothing_publishes_only_its_request(api: Api, sandbox: Sandbox) -> None:
    """A replay under a key, a second start of typing, a repeated reaction, and a refusal change nothing."""
    await api.create_chat("one")
    await api("POST", "/chats/8101/start_typing")
    love = {"type": "love", "operation": "add"}
    await api("POST", "/chat_messages/900001/reactions", love)
    before = sandbox.changes.number
    await api.create_chat("one")
    await api("POST", "/chats/8101/start_typing")
    await api("POST", "/chat_messages/900001/reactions", love)
    await api("POST", "/chats", {})
    kinds = [type(change.event) for change in sandbox.changes.since(before)]
    assert kinds == [happened.RequestReceived, happened.RequestFinished] * 4


def test_only_the_state_changes_what_it_stores() -> None:
    """No module besides the state assigns to a field of a chat or a message, or to one of the state's tables."""
    fields = {"typing", "contact_shared", "text", "edited_at", "is_read", "deleted", "reactions"}
    tables = {"chats", "messages", "reactions", "contacts", "subscriptions", "phone_numbers", "attachments"}
    found: list[str] = []
    for path in SOURCE.rglob("*.py"):
        if path.name in {"state.py", "server.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del) and node.attr in fields:
                found.append(f"{path.name}:{node.lineno} {node.attr}")
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
                inner = node.value
                if isinstance(inner, ast.Attribute) and inner.attr in tables:
                    found.append(f"{path.name}:{node.lineno} {inner.attr}")
    assert found == []


@pytest.mark.asyncio
async def test_faults_are_published(api: Api, sandbox: Sandbox) -> None:
    """Scripting, using and clearing faults are changes."""
    sandbox.faults.answer(503, times=2)
    await api.create_chat()
    sandbox.faults.clear()
    events = [change.event for change in sandbox.changes.since(0)]
    assert events[0] == happened.FaultScripted(fault_id=1, description="answer 503", times=2)
    assert happened.FaultUsed(fault_id=1, remaining=1) in events
    assert events[-1] == happened.FaultsCleared()


@pytest.mark.asyncio
async def test_a_lost_answer_is_published_without_a_status(api: Api, sandbox: Sandbox) -> None:
    """A request whose connection was dropped finishes with no status, its message stored all the same."""
    sandbox.faults.drop_after_storing(method="POST")
    with pytest.raises(Exception, match=r"[Dd]isconnected|reset"):
        await api.create_chat("lost")
    async for change in sandbox.changes.follow(0):
        if isinstance(change.event, happened.RequestFinished):
            assert (change.event.status, change.event.fault) == (None, "drop_after_storing")
            break
    assert any(isinstance(one.event, happened.MessageStored) for one in sandbox.changes.since(0))


@pytest.mark.asyncio
async def test_a_delivery_is_published_when_it_is_due() -> None:
    """A message that is delivered later publishes that without any further request."""
    async with Sandbox(deliver_after=0.05) as sandbox:
        chat = sandbox._state.add_chat(LINE, [MIRA], None)
        message = sandbox._state.add_message(chat, "Hello", None, ())
        sandbox._delivery_status_timer.update()
        before = sandbox.changes.number
        await asyncio.wait_for(sandbox.changes.wait(before), 5)
        (change,) = sandbox.changes.since(before)
    due = message.sent_at + timedelta(seconds=0.05)
    assert change.event == happened.DeliveryStatusChanged(
        message_id=message.id, chat_id=chat.id, status="delivered", delivered_at=due
    )


def test_deliveries_follow_the_setting() -> None:
    """Messages become pending again, and delivered again in their order, when `deliver_after` is changed."""
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    sandbox = Sandbox(clock=lambda: moment)
    chat = sandbox._state.add_chat(LINE, [MIRA], None)
    first = sandbox._state.add_message(chat, "One", None, ())
    moment += timedelta(seconds=1)
    second = sandbox._state.add_message(chat, "Two", None, ())
    before = sandbox.changes.number
    sandbox.deliver_after = None
    sandbox.deliver_after = 0.5
    sandbox.deliver_after = 0.0
    seen = [
        (change.event.message_id, change.event.delivered_at is not None)
        for change in sandbox.changes.since(before)
        if isinstance(change.event, happened.DeliveryStatusChanged)
    ]
    assert seen == [(first.id, False), (second.id, False), (first.id, True), (second.id, True)]


@pytest.mark.asyncio
async def test_numbers_go_on_after_a_reset(api: Api, sandbox: Sandbox) -> None:
    """A reset is the one change that is kept, under the next number, so that a reader from before it must reload."""
    await api.create_chat()
    before = sandbox.changes.number
    sandbox.reset()
    (change,) = sandbox.changes.since(sandbox.changes.number - 1)
    assert change.event == happened.SandboxReset()
    assert change.number > before
    with pytest.raises(ChangesLostError):
        sandbox.changes.since(before - 1)


def _shared(count: int) -> happened.ContactCardShared:
    return happened.ContactCardShared(chat_id=1, count=count)


def test_the_history_is_bounded_by_count() -> None:
    """Only the latest changes are kept: a reader behind them is refused, as is one with a number of the future."""
    changes = Changes(max_changes=3)
    for count in range(5):
        changes.publish(_shared(count))
    assert changes.since(2) == [Change(number, _shared(number - 1)) for number in (3, 4, 5)]
    assert changes.since(5) == []
    for number in (1, 6, -1):
        with pytest.raises(ChangesLostError):
            changes.since(number)


def test_the_history_is_bounded_by_bytes() -> None:
    """Large texts push older changes out, and one that is too large alone is not kept at all."""
    changes = Changes(max_bytes=100_000)
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    for size in (40_000, 40_000, 40_000):
        changes.publish(happened.MessageEdited(message_id=1, chat_id=1, text="x" * size, edited_at=moment))
    assert [change.number for change in changes.since(1)] == [2, 3]
    with pytest.raises(ChangesLostError):
        changes.since(0)
    changes.publish(happened.MessageEdited(message_id=1, chat_id=1, text="x" * 200_000, edited_at=moment))
    assert changes.since(4) == []
    with pytest.raises(ChangesLostError):
        changes.since(3)


@pytest.mark.asyncio
async def test_a_slow_reader_holds_up_nobody(api: Api, sandbox: Sandbox) -> None:
    """A reader that stops in the middle costs no request its answer, and gets the rest later."""
    reader = sandbox.changes.follow()
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    assert (await api.create_chat()).status == 200
    first = await waiting
    for _ in range(20):
        assert (await api("POST", "/chats/8101/share_contact")).status == 201
    rest = [await anext(reader) for _ in range(sandbox.changes.number - first.number)]
    assert [change.number for change in rest] == list(range(first.number + 1, sandbox.changes.number + 1))


@pytest.mark.asyncio
async def test_a_reader_that_is_cancelled_leaves_nothing_behind(api: Api, sandbox: Sandbox) -> None:
    """Readers that end while they wait are forgotten, and later changes reach the others."""
    readers = [asyncio.ensure_future(sandbox.changes.wait(sandbox.changes.number)) for _ in range(3)]
    await asyncio.sleep(0)
    readers[0].cancel()
    await asyncio.wait(readers[:1])
    assert len(sandbox.changes._waiting) == 2
    await api.create_chat()
    await asyncio.wait_for(asyncio.gather(*readers[1:]), 5)
    assert sandbox.changes._waiting == {}


def test_a_reader_whose_loop_is_closed_fails_nobody() -> None:
    """A reader whose loop was closed while it waited does not fail the one who publishes."""
    changes, loop = Changes(), asyncio.new_event_loop()
    waiting = loop.create_task(changes.wait(0))
    loop.run_until_complete(asyncio.sleep(0))
    assert len(changes._waiting) == 1
    loop.close()
    changes.publish(_shared(1))
    assert (changes.number, changes._waiting, waiting.done()) == (1, {}, False)
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]  # it can never end


def test_a_reader_on_another_loop_follows() -> None:
    """A sandbox on its own thread is followed from the loop of the test."""

    async def follow(sandbox: ThreadedSandbox) -> Change:
        reader = sandbox.changes.follow()
        waiting = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(0)
        sandbox.faults.answer(503)
        return await asyncio.wait_for(waiting, 5)

    with ThreadedSandbox() as sandbox:
        change = asyncio.run(follow(sandbox))
        sandbox.deliver_after = None
        assert sandbox.deliver_after is None
    assert isinstance(change.event, happened.FaultScripted)


def test_events_are_frozen() -> None:
    """No reader can alter an event for the others."""
    kinds = get_args(Event)
    assert len(kinds) == 27
    for kind in kinds:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            object.__new__(kind).anything = 1
