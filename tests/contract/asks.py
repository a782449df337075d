"""One good request of each operation, and how to spoil it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from .departures import URLENCODED
from .document import FORM, JSON, contract
from .generated import LINE, MIRA, known_id
from .samples import FORM_TYPE, NEW_CHAT, SUBSCRIPTION, TOKEN, form

CONTACT = {"contact": {"first_name": "Mira"}}
BODIES: dict[str, dict[str, Any]] = {
    "createChat": NEW_CHAT,
    "sendChatMessage": {"message": {"text": "Hello!"}},
    "editChatMessage": {"text": "Goodbye!"},
    "reactToChatMessage": {"type": "love", "operation": "add"},
    "createContact": CONTACT,
    "updateContact": CONTACT,
    "patchContact": CONTACT,
    "updatePhoneNumber": {"forwarding_number": MIRA},
    "createWebhookSubscription": {"webhook_subscription": SUBSCRIPTION},
    "updateWebhookSubscription": {"webhook_subscription": SUBSCRIPTION},
    "checkIMessageAvailability": {"phone_number": MIRA},
}
QUERIES = {
    "listChats": {"phone_number": LINE},
    "findChat": {"phone_number": LINE, "phone_numbers[]": MIRA},
    "findContact": {"email": "mira@example.org"},
}


@dataclass(frozen=True)
class Ask:
    """A request that a test makes by hand."""

    operation: str
    ids: Mapping[str, int]
    query: Mapping[str, str]
    body: bytes = b""
    kind: str | None = None
    token: Mapping[str, str] = field(default_factory=lambda: TOKEN)

    async def send(self, session: aiohttp.ClientSession, base_url: str) -> int:
        """Send it and give the status."""
        operation = contract().operations[self.operation]
        path = operation.path.format(**self.ids)
        url = URL(f"{base_url}{path}?{urlencode(self.query)}".rstrip("?"), encoded=True)
        headers = {**self.token, **({"Content-Type": self.kind} if self.kind else {})}
        async with session.request(operation.method, url, data=self.body or None, headers=headers) as response:
            await response.read()
            return response.status


def good(name: str) -> Ask:
    """Ask for something about what is known, within the contract."""
    operation = contract().operations[name]
    ask = Ask(name, {place: known_id(place, operation.path) for place in operation.ids}, QUERIES.get(name, {}))
    if name not in BODIES:
        return ask
    return as_json(ask, BODIES[name]) if JSON in operation.bodies else as_form(ask, BODIES[name])


def as_json(ask: Ask, body: object) -> Ask:
    """Give it a JSON body."""
    return replace(ask, body=json.dumps(body).encode(), kind=JSON)


def as_form(ask: Ask, body: Mapping[str, Any]) -> Ask:
    """Give it the same as a multipart form."""
    return replace(ask, body=form(list(bracketed(body))), kind=FORM_TYPE["Content-Type"])


def as_urlencoded(ask: Ask, body: Mapping[str, Any]) -> Ask:
    """Give it the same as browsers send forms without files."""
    return replace(ask, body=urlencode(list(bracketed(body))).encode(), kind=URLENCODED)


def with_member(ask: Ask, *path: str, value: object) -> Ask:
    """Add a member to its body, in the body's own spelling."""
    body: dict[str, Any] = json.loads(json.dumps(BODIES[ask.operation]))
    place = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    spell = as_form if FORM in (ask.kind or "") else as_json
    return spell(ask, body)


def bracketed(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Spell a body in flat names with brackets."""
    if isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            yield from bracketed(inner, f"{name}[{key}]" if name else key)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from bracketed(inner, f"{name}[]")
    else:
        yield name, str(value)
