"""The check whether a number is on iMessage."""

import math
from datetime import timedelta

from linq_async.sandbox import numbers
from linq_async.sandbox.refusals import RefusalError, missing_phone
from linq_async.sandbox.responses import ApiResponse, json_response

from .call import ApiCall
from .chats import service_of
from .fields import optional_text, read_number


def check_availability(call: ApiCall) -> ApiResponse:
    """Return whether a number is on iMessage, or 429 if the last check was too recent."""
    state, now = call.state, call.state.clock()
    if state.imessage_checked_at is not None:
        interval = state.imessage_interval
        remaining = (state.imessage_checked_at + timedelta(seconds=interval) - now).total_seconds()
        if remaining > 0:
            # Whole seconds, as HTTP requires, except for intervals that a test has shortened to less than one.
            seconds = str(math.ceil(remaining)) if interval >= 1 else f"{math.ceil(remaining * 1000) / 1000:.3f}"
            raise RefusalError(429, "rate_limit_exceeded", "Too many requests", {"Retry-After": seconds})
    state.record_imessage_check(now)
    text = optional_text(call.params, "phone_number")
    if not text:
        raise missing_phone("phone_number")
    number = read_number(text, "phone_number", numbers.participant)
    available = service_of(state, (number,)) == "iMessage"
    return json_response(200, {"available": available, "phone_number": number})
