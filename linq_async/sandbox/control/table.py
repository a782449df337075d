"""Every control call, as data: what serves it, and the member of `Sandbox` that does the same."""

from collections.abc import Awaitable, Callable

import attrs

from linq_async.sandbox.rack.params import Params

from . import calls
from .call import ControlCall

PREFIX = "/_sandbox"


@attrs.frozen
class ControlRoute:
    """One control call."""

    method: str
    path: str
    """Below the prefix."""
    takes: str
    """The members of the query or of the JSON body; those with a question mark may be left out."""
    member: str
    """The member of `Sandbox` that does the same."""
    call: Callable[[ControlCall], Awaitable[Params]]


CONTROL = (
    ControlRoute("GET", "/", "", "phone_numbers", calls.overview),
    ControlRoute("GET", "/chats", "limit?, skip?", "chats", calls.list_chats),
    ControlRoute("GET", "/search", "q", "chats", calls.search),
    ControlRoute("GET", "/chats/{chat_id}/messages", "limit?, before?", "chats", calls.list_chat_messages),
    ControlRoute("GET", "/messages", "to?, text?, after?, limit?, wait?", "wait_for_message", calls.list_messages),
    ControlRoute("POST", "/receive", "from, to?, text?, attachments?", "receive", calls.receive),
    ControlRoute("POST", "/chats/{chat_id}/reply", "text?, attachments?, from?", "reply", calls.reply),
    ControlRoute("POST", "/chats/{chat_id}/typing", "display?, from?", "typing", calls.typing),
    ControlRoute("POST", "/chats/{chat_id}/read", "", "read", calls.read),
    ControlRoute("POST", "/messages/{message_id}/react", "reaction, from?", "react", calls.react),
    ControlRoute("GET", "/numbers", "", "behave", calls.list_numbers),
    ControlRoute("PUT", "/numbers/{phone_number}", "delivery?, service?", "behave", calls.behave),
    ControlRoute("PUT", "/conditions", "latency?, fail?, rate_limit?", "conditions", calls.set_conditions),
    ControlRoute("POST", "/clock/advance", "seconds", "advance", calls.advance),
    ControlRoute("GET", "/faults", "", "faults", calls.list_faults),
    ControlRoute(
        "POST",
        "/faults",
        "fault, status?, retry_after?, seconds?, times?, phone_number?, path?, method?",
        "faults",
        calls.add_fault,
    ),
    ControlRoute("DELETE", "/faults", "", "faults", calls.clear_faults),
    ControlRoute("GET", "/requests", "limit?, key?", "requests", calls.list_requests),
    ControlRoute("GET", "/requests/{number}", "", "requests", calls.get_request),
    ControlRoute("GET", "/subscriptions", "", "subscriptions", calls.list_subscriptions),
    ControlRoute("POST", "/subscriptions", "url, secret?, events?", "subscribe", calls.subscribe),
    ControlRoute("DELETE", "/subscriptions/{subscription_id}", "", "unsubscribe", calls.unsubscribe),
    ControlRoute("GET", "/deliveries", "limit?", "deliveries", calls.list_deliveries),
    ControlRoute("GET", "/deliveries/{number}", "", "deliveries", calls.get_delivery),
    ControlRoute("POST", "/deliveries/{number}/again", "", "redeliver", calls.redeliver),
    ControlRoute("POST", "/deliveries/faults", "fault", "deliveries", calls.script_deliveries),
    ControlRoute("POST", "/reset", "", "reset", calls.reset),
)
"""The calls that respond with JSON. `GET /events` beside them follows `changes`."""


def control_table() -> str:
    """Return the table of the documentation."""
    rows = [f"| `{one.method} {one.path}` | {one.takes} | `{one.member}` |" for one in CONTROL]
    feed = "| `GET /events` | since? | `changes` |"
    return "\n".join(("| call | takes | `Sandbox` |", "|---|---|---|", *rows, feed))
