"""The tables of docs/errors.md and docs/outcomes.md as a model of how a call ends. Imports no rule of the package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Event(Enum):
    """What happens to one attempt."""

    WELL = "a good answer"
    ODD = "2xx, whole, but not the contract"
    GARBLED = "2xx, whole, but it cannot be decompressed"
    CUT = "2xx, cut while it is read"
    CUT_LATE = "2xx, then silence"
    LOST = "reset or disconnect"
    LATE = "read timeout"
    NOT_CONNECTED = "refused, TLS handshake or connect timeout"
    CERTIFICATE = "certificate not accepted"
    STATUS = "a status outside 2xx"


@dataclass(frozen=True)
class Happening:
    """An event, with the status and the seconds of Retry-After if it has them."""

    event: Event
    status: int | None = None
    retry_after: float | None = None


@dataclass(frozen=True)
class Asked:
    """What the tables distinguish about a call."""

    method: str
    with_key: bool
    typed: bool


@dataclass(frozen=True)
class Ending:
    """How a call ends: the name of its error and its outcome, None for a result; and the attempts it took."""

    error: str | None
    outcome: str | None
    attempts: int


WELL = Happening(Event.WELL)
LATER = (408, 425, 500, 502, 503, 504)
REPEATABLE = ("GET", "PUT", "DELETE", "OPTIONS")
RANKS = ("not_sent", "unknown", "sent")
ERRORS = {
    Event.ODD: ("DecodeError", "sent"),
    Event.GARBLED: ("DecodeError", "sent"),
    Event.CUT: ("ConnectionLostError", "sent"),
    Event.CUT_LATE: ("RequestTimeoutError", "sent"),
    Event.LOST: ("ConnectionLostError", "unknown"),
    Event.LATE: ("RequestTimeoutError", "unknown"),
    Event.NOT_CONNECTED: ("ConnectError", "not_sent"),
    Event.CERTIFICATE: ("ConnectError", "not_sent"),
}
STATUS_ERRORS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    409: "ConflictError",
    413: "PayloadTooLargeError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
}
AGAIN_WITH_KEY = {Event.NOT_CONNECTED, Event.LOST, Event.LATE, Event.CUT, Event.CUT_LATE}


def refusal(status: int) -> tuple[str, str]:
    """Return the error and the outcome of one attempt that ends in this status."""
    if 300 <= status <= 399:
        return "RedirectError", "unknown"
    if status >= 500:
        return "ServerError", "unknown"
    return STATUS_ERRORS.get(status, "APIError"), "unknown" if status in (408, 409) else "not_sent"


def goes_again(asked: Asked, happening: Happening) -> bool:
    """Say whether the table of docs/outcomes.md repeats the attempt."""
    with_key = asked.with_key or asked.method in REPEATABLE
    if happening.event is Event.STATUS:
        return happening.status == 429 or (with_key and happening.status in LATER)
    if happening.event is Event.NOT_CONNECTED:
        return True
    return with_key and happening.event in AGAIN_WITH_KEY


def succeeds(asked: Asked, happening: Happening, outcome: str) -> bool:
    """Say whether this attempt ends the call well, given what the earlier ones may have done."""
    if happening.event is Event.ODD:
        return not asked.typed
    done_before = asked.method == "DELETE" and happening.status == 404 and outcome != "not_sent"
    return happening.event is Event.WELL or done_before


def ending(asked: Asked, happenings: Sequence[Happening], max_attempts: int, max_elapsed: float) -> Ending:
    """Follow the tables to the end of the call; once the happenings are over, all is well."""
    outcome, attempts = "not_sent", 0
    for happening in [*happenings, *[WELL] * max_attempts]:
        attempts += 1
        if succeeds(asked, happening, outcome):
            break
        error, own = refusal(happening.status) if happening.status else ERRORS[happening.event]
        outcome = max(outcome, own, key=RANKS.index)
        too_long = (happening.retry_after or 0.0) >= max_elapsed
        if attempts == max_attempts or too_long or not goes_again(asked, happening):
            return Ending(error, outcome, attempts)
    return Ending(None, None, attempts)
