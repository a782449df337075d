"""How phone numbers behave: numbers of fixed behaviour, which need no set-up, and what a test sets for others.

The numbers are reserved for fiction, so that no mistake ever reaches a person.
"""

import attrs

from .faults import NO_FAULT, Fault, Plan, answer_fault, plain_fault
from .responses import JSON_TYPE, ApiResponse

STATUSES = ("pending", "delivered", "service_unavailable", "rate_limit_exceeded", "paused")
SERVICES = ("iMessage", "SMS", "RCS")


@attrs.frozen(kw_only=True)
class Behaviour:
    """How one number behaves."""

    does: str = ""
    """What it does, in words."""
    delivery: float | str | None = None
    """Seconds after which messages to it are delivered, or the status that they keep; None follows the setting."""
    service: str | None = None
    """The service of chats with it; None follows `without_imessage`."""
    fault: Fault | None = None
    """What goes wrong with sends to it."""
    only_first: bool = True
    """Whether the fault applies to the first attempt with a key, not to all."""
    acts: tuple[str, ...] = ()
    """What it does with each message: `reply`, `read`, `love` or `typing`."""
    twice: bool = False
    """Whether the events of its messages are delivered twice."""

    def plan(self, attempt: int) -> Plan:
        """Return what goes wrong with an attempt."""
        if self.fault is None or (self.only_first and attempt > 1):
            return NO_FAULT
        return Plan(self.fault) if self.fault.is_delay else Plan(fault=self.fault)


ORDINARY = Behaviour()

FIXED: dict[str, Behaviour] = {
    f"+1202555{suffix}": behaviour
    for suffix, behaviour in {
        "0150": Behaviour(does="messages stay pending", delivery="pending"),
        "0151": Behaviour(does="messages are delivered after 5 seconds", delivery=5.0),
        "0152": Behaviour(does="messages end as service_unavailable", delivery="service_unavailable"),
        "0153": Behaviour(does="messages end as rate_limit_exceeded", delivery="rate_limit_exceeded"),
        "0154": Behaviour(does="messages end as paused", delivery="paused"),
        "0160": Behaviour(does="has SMS only", service="SMS"),
        "0161": Behaviour(does="has RCS", service="RCS"),
        "0170": Behaviour(does="sends get 422", fault=answer_fault(422), only_first=False),
        "0171": Behaviour(
            does="sends get 429 with Retry-After 1", fault=answer_fault(429, Retry_After="1"), only_first=False
        ),
        "0172": Behaviour(does="the first attempt gets 429", fault=answer_fault(429)),
        "0173": Behaviour(does="sends get 503", fault=answer_fault(503), only_first=False),
        "0174": Behaviour(does="the first attempt gets 503", fault=answer_fault(503)),
        "0175": Behaviour(
            does="the first attempt is reset before it is stored", fault=plain_fault("drop_before_storing")
        ),
        "0176": Behaviour(
            does="the first attempt is reset after it is stored", fault=plain_fault("drop_after_storing")
        ),
        "0177": Behaviour(does="the response to the first attempt is cut", fault=plain_fault("cut_body")),
        "0178": Behaviour(
            does="the response to the first attempt is 3 seconds late", fault=plain_fault("delay", seconds=3.0)
        ),
        "0179": Behaviour(
            does="messages are stored, but the response is not as documented",
            fault=plain_fault(
                "wrong_answer", response=ApiResponse(200, b'{"data": "stored"}', {"Content-Type": JSON_TYPE})
            ),
            only_first=False,
        ),
        "0180": Behaviour(does="replies with the same text", acts=("reply",)),
        "0181": Behaviour(does="reads what it gets", acts=("read",)),
        "0182": Behaviour(does="reacts with love", acts=("love",)),
        "0183": Behaviour(does="types, then replies with the same text", acts=("typing", "reply")),
        "0184": Behaviour(
            does="replies with the same text, and the webhook of that is delivered twice", acts=("reply",), twice=True
        ),
    }.items()
}
"""The numbers of fixed behaviour. In a group, the first one of them counts."""


def fixed_table() -> str:
    """Return the table of the documentation."""
    rows = (f"| `{number}` | {behaviour.does} |" for number, behaviour in FIXED.items())
    return "\n".join(("| number | behaviour |", "|---|---|", *rows))


def checked_behaviour(behaviour: Behaviour, delivery: object, service: object) -> Behaviour:
    """Return a behaviour with another delivery and service, as far as these are given."""
    if service is not None and service not in SERVICES:
        raise ValueError(f"service must be one of {', '.join(SERVICES)}, not {service!r}")
    if isinstance(delivery, str):
        if delivery not in STATUSES:
            raise ValueError(f"delivery must be seconds or one of {', '.join(STATUSES)}, not {delivery!r}")
        delivery = 0.0 if delivery == "delivered" else delivery
    elif delivery is not None:
        if isinstance(delivery, bool) or not isinstance(delivery, int | float) or not 0 <= delivery < 1e9:
            raise ValueError(f"delivery must be a number of seconds from 0 on, not {delivery!r}")
        delivery = float(delivery)
    return attrs.evolve(behaviour, delivery=delivery, service=service)
