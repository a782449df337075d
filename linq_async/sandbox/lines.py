"""Operations on the organisation's own numbers, and the iMessage check."""

import math
from datetime import timedelta

from . import numbers
from .answers import Answer, RefusalError, invalid, json_answer, missing_phone
from .call import Call
from .fields import optional_text, read_number
from .params import Params
from .state import Line, State

RESPONSE_RATE = 60


def list_phone_numbers(call: Call) -> Answer:
    """Answer with all lines, without paging."""
    lines = [line_data(line) for line in call.state.lines.values()]
    return json_answer(200, {"phone_numbers": lines})


def update_phone_number(call: Call) -> Answer:
    """Set a line's forwarding number; an empty string or null clears it."""
    refusal = RefusalError(403, "forbidden", "The phone number does not belong to your organization")
    line = call.state.lines.get(call.id("id", refusal))
    if line is None:
        raise refusal
    if "forwarding_number" not in call.params:
        raise invalid("forwarding_number is required")
    given = call.params["forwarding_number"]
    if given is not None and not isinstance(given, str):
        raise invalid("forwarding_number must be a string")
    line.forwarding_number = read_number(given, "forwarding_number") if given else None
    return json_answer(200, line_data(line))


def line_data(line: Line) -> Params:
    """Show a line as answers show it."""
    return {
        "id": line.id,
        "phone_number": line.phone_number,
        "forwarding_number": line.forwarding_number,
        "response_rate": RESPONSE_RATE,
    }


def check_imessage(call: Call) -> Answer:
    """Say whether a number is on iMessage; asked too soon again, answer 429."""
    _pass_limit(call.state)
    text = optional_text(call.params, "phone_number")
    if not text:
        raise missing_phone("phone_number")
    number = read_number(text, "phone_number", numbers.participant)
    available = number not in call.state.without_imessage
    return json_answer(200, {"available": available, "phone_number": number})


def _pass_limit(state: State) -> None:
    now, last = state.clock(), state.imessage_checked_at
    if last is not None:
        left = (last + timedelta(seconds=state.imessage_interval) - now).total_seconds()
        if left > 0:
            headers = {"Retry-After": _seconds(left, state.imessage_interval)}
            raise RefusalError(429, "rate_limit_exceeded", "Too many requests", headers)
    state.imessage_checked_at = now


def _seconds(left: float, interval: float) -> str:
    # Whole seconds, as HTTP wants them; an interval shortened for a test would be drowned by that.
    return str(math.ceil(left)) if interval >= 1 else f"{math.ceil(left * 1000) / 1000:.3f}"
