"""What each control call does."""

import base64
import binascii
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, cast

import attrs

from linq_async.sandbox.api.fields import optional_list, optional_text, optional_texts, required_text
from linq_async.sandbox.behaviour import FIXED
from linq_async.sandbox.conditions import Conditions
from linq_async.sandbox.faults import RequestFilter, checked_status, checked_times
from linq_async.sandbox.people import FileOrURL
from linq_async.sandbox.rack.params import Params
from linq_async.sandbox.records import SandboxChat, SandboxMessage
from linq_async.sandbox.refusals import invalid, not_found

from . import view
from .call import ControlCall
from .feed import position_of

LONGEST_WAIT = 60.0


async def overview(call: ControlCall) -> Params:
    """Return the settings, what is always sent whole, and the position from which to follow changes."""
    sandbox = call.sandbox
    return {
        "version": version("linq_async"),
        "phone_numbers": [*sandbox.phone_numbers],
        "deliver_after": sandbox.deliver_after,
        "kept": sandbox.keep is not None,
        "conditions": attrs.asdict(sandbox.conditions),
        "deliveries_held": sandbox.deliveries.held,
        "now": view.moment_view(call.state.now()),
        "position": position_of(sandbox.changes),
        **view.lists_view(sandbox),
    }


async def list_chats(call: ControlCall) -> Params:
    """Return chats, those with the latest messages first."""
    chats = sorted(call.sandbox.chats, key=_last_message_id, reverse=True)
    skip = call.count("skip", 0)
    shown = chats[skip : skip + call.rows(100)]
    return {
        "position": position_of(call.sandbox.changes),
        "total": len(chats),
        "chats": [view.chat_view(call.state, chat) for chat in shown],
    }


def _last_message_id(chat: SandboxChat) -> int:
    return chat.messages[-1].id if chat.messages else 0


async def search(call: ControlCall) -> Params:
    """Return the ids of the chats in whose name, people or messages a text occurs."""
    text = required_text(call.query, "q").casefold()
    return {
        "chats": [
            chat.id
            for chat in call.sandbox.chats
            if any(text in found.casefold() for found in (chat.display_name, chat.send_from, *chat.recipients))
            or any(text in message.text.casefold() for message in chat.messages)
        ]
    }


async def list_chat_messages(call: ControlCall) -> Params:
    """Return the latest messages of a chat, or those before one of them."""
    chat = call.state.chats.get(call.id("chat_id"))
    if chat is None:
        raise not_found("Chat")
    before = call.count("before", 0)
    found = [message for message in chat.messages if not before or message.id < before]
    limit = call.rows(100)
    return {
        "chat": view.chat_view(call.state, chat),
        "messages": _message_views(call, found[max(len(found) - limit, 0) :]),
        "more": len(found) > limit,
    }


def _message_views(call: ControlCall, messages: Sequence[SandboxMessage]) -> list[Params]:
    return [view.message_view(call.state, message) for message in messages]


async def list_messages(call: ControlCall) -> Params:
    """Return the messages that were sent; with `wait`, the first one as soon as there is one."""
    to, text, after = optional_text(call.query, "to"), optional_text(call.query, "text") or "", call.count("after", 0)
    wait = min(call.count("wait", 0), LONGEST_WAIT)
    if wait:
        try:
            first = await call.sandbox.wait_for_message(to=to, text=text, after=after, timeout=wait)
        except TimeoutError:
            return {"messages": []}
        return {"messages": _message_views(call, [first])}
    sent = [one for one in call.sandbox.messages if one.from_me] if to is None else call.sandbox.messages_to(to)
    found = [message for message in sent if message.id > after and text in message.text]
    return {"messages": _message_views(call, found[: call.rows(100)])}


async def receive(call: ControlCall) -> Params:
    """Receive a message from anybody."""
    message = await call.sandbox.receive(
        from_=required_text(call.params, "from"),
        to=optional_text(call.params, "to"),
        text=optional_text(call.params, "text") or "",
        attachments=_attachments(call),
    )
    return view.message_view(call.state, message)


async def reply(call: ControlCall) -> Params:
    """Receive a message from a recipient of a chat."""
    message = await call.sandbox.reply(
        call.id("chat_id"), optional_text(call.params, "text") or "", _attachments(call), from_=call.sender()
    )
    return view.message_view(call.state, message)


def _attachments(call: ControlCall) -> list[FileOrURL]:
    """Return URLs, and files that are given as `{"filename": …, "base64": …}`."""
    found: list[FileOrURL] = []
    for one in optional_list(call.params, "attachments"):
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, dict):
            file = cast("Params", one)
            try:
                content = base64.b64decode(required_text(file, "base64"), validate=True)
            except binascii.Error:
                raise invalid("base64 must be the content of a file in base64") from None
            found.append((required_text(file, "filename"), content))
        else:
            raise invalid("attachments must be URLs, or objects with filename and base64")
    return found


async def typing(call: ControlCall) -> Params:
    """Show or hide the typing indicator of a recipient."""
    await call.sandbox.typing(call.id("chat_id"), display=call.params.get("display") is not False, from_=call.sender())
    return {}


async def read(call: ControlCall) -> Params:
    """Let the recipients of a chat read what was sent."""
    await call.sandbox.read(call.id("chat_id"))
    return {}


async def react(call: ControlCall) -> Params:
    """Receive a reaction to a message."""
    await call.sandbox.react(call.id("message_id"), required_text(call.params, "reaction"), from_=call.sender())
    return view.message_view(call.state, call.state.messages[call.id("message_id")])


async def list_numbers(call: ControlCall) -> Params:
    """Return the numbers of fixed behaviour, and those for which one is set."""
    fixed = [{"phone_number": number, "does": behaviour.does} for number, behaviour in FIXED.items()]
    return {"fixed": fixed, "numbers": view.numbers_view(call.state)}


async def behave(call: ControlCall) -> Params:
    """Set how messages to a number are delivered, and by which service."""
    delivery = call.params.get("delivery")
    given = delivery if isinstance(delivery, str) or delivery is None else call.seconds("delivery")
    call.sandbox.behave(call.ids["phone_number"], delivery=given, service=optional_text(call.params, "service"))
    return await list_numbers(call)


async def advance(call: ControlCall) -> Params:
    """Move the clock of the sandbox forward."""
    call.sandbox.advance(call.seconds("seconds"))
    return {"now": view.moment_view(call.state.now())}


async def set_conditions(call: ControlCall) -> Params:
    """Set what all requests meet. What is not given stays."""
    given: dict[str, Any] = {
        name: value for name, value in call.params.items() if name in attrs.fields_dict(Conditions)
    }
    latency = given.get("latency")
    if isinstance(latency, list):
        given["latency"] = tuple(cast("list[object]", latency))
    call.sandbox.conditions = attrs.evolve(call.sandbox.conditions, **given)
    return attrs.asdict(call.sandbox.conditions)


async def list_faults(call: ControlCall) -> Params:
    """Return the faults of the next requests."""
    return {"faults": view.faults_view(call.sandbox)}


async def add_fault(call: ControlCall) -> Params:
    """Script a fault of the next requests."""
    params, faults = call.params, call.sandbox.faults
    matching = RequestFilter(
        times=checked_times(params.get("times", 1)),
        phone_number=optional_text(params, "phone_number") or None,
        path=optional_text(params, "path") or None,
        method=optional_text(params, "method") or None,
    )
    name = required_text(params, "fault")
    if name == "answer":
        seconds = params.get("retry_after")
        headers = {} if seconds is None else {"Retry-After": f"{call.seconds('retry_after'):g}"}
        faults.answer(checked_status(params.get("status")), headers=headers, **matching)
    elif name == "delay":
        faults.delay(call.seconds("seconds"), **matching)
    elif name in FAULTS:
        getattr(faults, name)(**matching)
    else:
        raise invalid(f"fault must be one of {', '.join(FAULTS)}, not {name!r}")
    return await list_faults(call)


FAULTS = ("answer", "delay", "drop_before_storing", "drop_after_storing", "cut_body")


async def clear_faults(call: ControlCall) -> Params:
    """Drop the faults of the next requests."""
    call.sandbox.faults.clear()
    return await list_faults(call)


async def list_requests(call: ControlCall) -> Params:
    """Return the latest requests, or all attempts with a key, oldest first."""
    key = optional_text(call.query, "key")
    log = call.sandbox.requests
    found = log[:] if key is None else log.by_key().get(key, [])
    return {"total": log.total, "requests": [view.request_view(one) for one in found[-call.rows(500) :]]}


async def get_request(call: ControlCall) -> Params:
    """Return a request with its headers and bodies."""
    entry = call.sandbox.requests.find(call.id("number"))
    if entry is None:
        raise not_found("Request")
    return view.request_detail(entry)


async def list_subscriptions(call: ControlCall) -> Params:
    """Return the webhook subscriptions."""
    return {"subscriptions": view.subscriptions_view(call.sandbox)}


async def subscribe(call: ControlCall) -> Params:
    """Create a webhook subscription."""
    events = optional_texts(call.params, "events")
    subscription = await call.sandbox.subscribe(
        required_text(call.params, "url"),
        secret=optional_text(call.params, "secret"),
        **({"events": events} if events else {}),
    )
    return view.subscription_view(subscription)


async def unsubscribe(call: ControlCall) -> Params:
    """Delete a webhook subscription."""
    subscription = call.state.subscriptions.get(call.id("subscription_id"))
    if subscription is None:
        raise not_found("Subscription")
    await call.sandbox.unsubscribe(subscription)
    return await list_subscriptions(call)


async def list_deliveries(call: ControlCall) -> Params:
    """Return the latest attempts to deliver an event, oldest first."""
    deliveries = call.sandbox.deliveries
    latest = deliveries[-call.rows(500) :]
    return {
        "total": deliveries.total,
        "held": deliveries.held,
        "deliveries": [view.delivery_view(one) for one in latest],
    }


async def get_delivery(call: ControlCall) -> Params:
    """Return an attempt to deliver with its body."""
    delivery = call.sandbox.deliveries.find(call.id("number"))
    if delivery is None:
        raise not_found("Delivery")
    return view.delivery_detail(delivery)


async def redeliver(call: ControlCall) -> Params:
    """Deliver the event of an attempt again."""
    delivery = call.sandbox.deliveries.find(call.id("number"))
    if delivery is None:
        raise not_found("Delivery")
    await call.sandbox.redeliver(delivery)
    return {}


async def script_deliveries(call: ControlCall) -> Params:
    """Hold, release, or script a fault of the next delivery."""
    deliveries, name = call.sandbox.deliveries, required_text(call.params, "fault")
    if name not in DELIVERY_FAULTS:
        raise invalid(f"fault must be one of {', '.join(DELIVERY_FAULTS)}, not {name!r}")
    getattr(deliveries, name)()
    return {"held": deliveries.held}


DELIVERY_FAULTS = ("twice", "twice_with_new_id", "out_of_order", "lose_answer", "hold", "release")


async def reset(call: ControlCall) -> Params:
    """Drop everything but the settings."""
    call.sandbox.reset()
    return {}
