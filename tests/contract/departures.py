"""How sandbox or client depart from the contract on purpose, and what is left of an exchange's violations then.

`departures.md` says why, entry by entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .document import FORM, JSON, contract
from .exchange import ContractError, Exchange, Violation
from .validator import validator

ANY: Any = object()
EVERY = frozenset(contract().operations)
WITH_BODY = frozenset(name for name, operation in contract().operations.items() if operation.bodies)
PAGED = frozenset({"listChats", "listChatMessages", "listContacts"})
FAMILY_OF_MESSAGES = frozenset(
    {"sendChatMessage", "getChatMessage", "deleteChatMessage", "editChatMessage", "reactToChatMessage"}
)
SUBSCRIPTION_WRITERS = frozenset({"createWebhookSubscription", "updateWebhookSubscription"})
CHECKED = frozenset({"sendChatMessage", "editChatMessage", "reactToChatMessage", "checkIMessageAvailability"}).union(
    SUBSCRIPTION_WRITERS
)
STORING = frozenset({"createChat", "sendChatMessage", "editChatMessage"}).union(
    SUBSCRIPTION_WRITERS, {"createContact", "updateContact", "patchContact"}
)
URLENCODED = "application/x-www-form-urlencoded"
# In a form every value is a text, and the version of a subscription has to be a number.
AS_A_FORM = WITH_BODY - SUBSCRIPTION_WRITERS


@dataclass(frozen=True)
class Departure:
    """One departure: which violations of which operations it forgives."""

    name: str
    side: str
    """`client` forgives requests of linq_async; `sandbox` its answers, and requests made by hand that it takes."""
    operations: frozenset[str]
    where: tuple[str, ...]
    status: int | None = None
    codes: frozenset[str] = frozenset()
    keywords: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    value: object = ANY

    def forgives(self, violation: Violation, exchange: Exchange) -> bool:
        """Whether it covers this violation in this exchange."""
        return (
            violation.where in self.where
            and violation.operation in self.operations
            and (not violation.in_request or exchange.from_client == (self.side == "client"))
            and self.status in (None, violation.status)
            and (not self.codes or (violation.code or "").lower() in self.codes)
            and (not self.keywords or violation.keyword in self.keywords)
            and (not self.places or violation.place in self.places)
            and (self.value is ANY or violation.value == self.value)
        )


def _refusal(name: str, status: int, operations: frozenset[str], *codes: str) -> Departure:
    return Departure(name, "sandbox", operations, ("answer.status",), status=status, codes=frozenset(codes))


def _header(name: str, status: int | None, operations: frozenset[str], header: str) -> Departure:
    places = frozenset({header})
    return Departure(name, "sandbox", operations, ("answer.headers",), status=status, places=places)


def _lenient(name: str, operations: frozenset[str], where: str, *keywords: str, **more: Any) -> Departure:
    return Departure(name, "sandbox", operations, (where,), keywords=frozenset(keywords), **more)


DEPARTURES = (
    _refusal("unauthorized", 401, EVERY - {"listChats"}, "unauthorized"),
    _refusal("unreadable", 400, EVERY - {"createChat", "findContact"}, "bad_request"),
    _refusal("missing-parameter", 400, CHECKED.union({"listChats", "findChat"}), "missing_params", "missing_phone"),
    _refusal(
        "rejected-value",
        422,
        CHECKED.union({"listChats", "findChat", "listChatMessages", "updateContact", "patchContact"}),
        "invalid_params",
    ),
    _refusal(
        "unknown-id",
        404,
        FAMILY_OF_MESSAGES.union({"listChatMessages", "getChatMessageReaction"}),
        "not_found",
    ),
    _refusal(
        "unknown-subscription",
        404,
        frozenset({"updateWebhookSubscription", "deleteWebhookSubscription"}),
        "subscription_not_found",
    ),
    _refusal("too-large", 413, EVERY, "payload_too_large"),
    _refusal("storage-full", 507, STORING, "insufficient_storage"),
    _header("request-id", None, EVERY, "x-request-id"),
    _header("retry-after", 429, frozenset({"checkIMessageAvailability"}), "retry-after"),
    _lenient("json-message", frozenset({"sendChatMessage"}), "request.type", value=JSON),
    _lenient("form-for-json", AS_A_FORM - {"createChat", "sendChatMessage"}, "request.type", value=FORM),
    _lenient("urlencoded", AS_A_FORM, "request.type", value=URLENCODED),
    _lenient("inferred-form", frozenset({"createChat"}), "request.type", "inferred"),
    _lenient("unknown-name-in-body", WITH_BODY, "request.body", "additionalProperties"),
    _lenient("unknown-name-in-query", EVERY, "request.query", "additionalProperties"),
    _lenient("unread-body", EVERY - WITH_BODY, "request.body", "body"),
    _lenient(
        "null-is-nothing",
        SUBSCRIPTION_WRITERS.union({"createChat", "createContact", "updateContact", "patchContact"}),
        "request.body",
        "type",
        value=None,
    ),
    _lenient(
        "paging-as-it-comes",
        PAGED,
        "request.query",
        "type",
        "minimum",
        "maximum",
        places=frozenset({"page", "per_page"}),
    ),
    _lenient(
        "loose-time", frozenset({"listChatMessages"}), "request.query", "format", places=frozenset({"before", "after"})
    ),
    Departure("client-form", "client", frozenset({"createChat"}), ("request.type",), keywords=frozenset({"inferred"})),
    Departure(
        "client-null",
        "client",
        frozenset({"updateContact", "patchContact"}),
        ("request.body",),
        keywords=frozenset({"type"}),
        value=None,
    ),
)


def unforgiven(exchange: Exchange, departures: Iterable[Departure] = DEPARTURES) -> list[Violation]:
    """Return what no departure forgives.

    A request that a test made by hand may be wrong if it is refused: that is what such a test is for.
    """
    refused = not exchange.from_client and (exchange.status is None or exchange.status >= 400)
    return [
        violation
        for violation in validator().violations(exchange)
        if not (refused and violation.in_request)
        and not any(departure.forgives(violation, exchange) for departure in departures)
    ]


def hold(exchange: Exchange) -> None:
    """Raise ContractError if an exchange is outside the contract, and no departure forgives it."""
    violations = unforgiven(exchange)
    if violations:
        raise ContractError(exchange, violations)
