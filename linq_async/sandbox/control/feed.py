"""Live changes as server-sent events. They conflate: a reader gets the latest state of what changed, and no history."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable

import attrs

from linq_async.sandbox import events as changed
from linq_async.sandbox.changes import Change, Changes, ChangesLostError
from linq_async.sandbox.controls import Controls
from linq_async.sandbox.rack.params import Params
from linq_async.sandbox.state import State

from . import view

PAUSE = 0.05
"""Seconds between two events, in which changes gather."""
KEEP_ALIVE = 15.0
"""Seconds without changes after which a comment shows that the connection still works."""
Key = tuple[str, int]


def position_of(changes: Changes) -> str:
    """Return where a reader stands that has seen everything: the life of the sandbox, and a number in it."""
    return f"{changes.epoch}-{changes.number}"


def touched(changes: Iterable[Change]) -> set[Key] | None:
    """Return what changed, as kinds and ids, or None after a reset: then everything did."""
    found: set[Key] = set()
    for change in changes:
        keys = _keys(change.event)
        if keys is None:
            return None
        found.update(keys)
    return found


def _keys(event: changed.Event) -> tuple[Key, ...] | None:
    match event:
        case changed.SandboxReset():
            return None
        case changed.ReactionAdded(reaction) | changed.ReactionRemoved(reaction):
            return (("messages", reaction.message_id),)
        case (
            changed.MessageStored()
            | changed.DeliveryStatusChanged()
            | changed.MessageEdited()
            | changed.MessageRead()
            | changed.MessageDeleted()
        ):
            return ("messages", event.message_id), ("chats", event.chat_id)
        case (
            changed.ChatCreated()
            | changed.TypingChanged()
            | changed.RecipientTypingChanged()
            | changed.ContactCardShared()
        ):
            return (("chats", event.chat_id),)
        case changed.RequestReceived() | changed.RequestFinished():
            return (("requests", int(event.request_id.rpartition("-")[2])),)
        case changed.DeliveryAttempted(delivery):
            return ("deliveries", delivery.number), ("subscriptions", 0)
        case changed.SubscriptionCreated() | changed.SubscriptionUpdated() | changed.SubscriptionDeleted():
            return (("subscriptions", 0),)
        case changed.BehaviourChanged():
            return (("numbers", 0),)
        case changed.FaultScripted() | changed.FaultUsed() | changed.FaultsCleared():
            return (("faults", 0),)
        case changed.ConditionsChanged():
            return (("conditions", 0),)
        case _:  # contacts are not shown
            return ()


def news(sandbox: Controls, state: State, keys: Iterable[Key]) -> Params:
    """Return the latest state of what changed, oldest first."""
    found: dict[str, list[Params]] = {}
    whole: Params = {}
    for kind, id_ in sorted(keys):
        match kind:
            case "conditions":
                whole["conditions"] = attrs.asdict(sandbox.conditions)
            case "faults":
                whole["faults"] = view.faults_view(sandbox)
            case "numbers":
                whole["numbers"] = view.numbers_view(state)
            case "subscriptions":
                whole["subscriptions"] = view.subscriptions_view(sandbox)
            case _:
                row = _row(sandbox, state, kind, id_)
                if row is not None:
                    found.setdefault(kind, []).append(row)
    return {**found, **whole}


def _row(sandbox: Controls, state: State, kind: str, id_: int) -> Params | None:
    if kind == "chats":
        return view.chat_view(state, state.chats[id_])
    if kind == "messages":
        return view.message_view(state, state.messages[id_])
    if kind == "requests":
        entry = sandbox.requests.find(id_)
        return None if entry is None else view.request_view(entry)
    delivery = sandbox.deliveries.find(id_)
    return None if delivery is None else view.delivery_view(delivery)


async def stream(sandbox: Controls, state: State, since: str) -> AsyncGenerator[bytes, None]:
    """Yield server-sent events without end, each when the one before it was taken.

    `since` is a position. If it belongs to another run, is older than what is kept, or was before a reset, the event
    `restart` asks the reader to load everything again.
    """
    changes = sandbox.changes
    epoch, _, given = since.partition("-")
    number = int(given) if given.isdecimal() and len(given) < 19 and epoch == changes.epoch else -1
    yield b"retry: 500\n\n"
    while True:
        number, event = _next_event(sandbox, state, number)
        if event:
            yield event
            await asyncio.sleep(PAUSE)
        try:
            async with asyncio.timeout(KEEP_ALIVE):
                await changes.wait(number)
        except TimeoutError:
            yield b": still here\n\n"


def _next_event(sandbox: Controls, state: State, number: int) -> tuple[int, bytes]:
    """Return the new position, and what changed since the old one; nothing if it is not shown."""
    changes = sandbox.changes
    try:
        fresh = changes.since(number)
        keys = touched(fresh)
    except ChangesLostError:
        fresh, keys = [], None
    latest = fresh[-1].number if fresh else changes.number
    position = f"id: {changes.epoch}-{latest}\n".encode()
    if keys is None:
        return latest, b"event: restart\n" + position + b"data: {}\n\n"
    found = news(sandbox, state, keys)
    return latest, position + b"data: " + json.dumps(found).encode() + b"\n\n" if found else b""
