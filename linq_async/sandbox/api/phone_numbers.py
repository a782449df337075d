"""Operations on the organisation's own numbers, and the iMessage check."""

from linq_async.sandbox.rack.params import Params
from linq_async.sandbox.refusals import RefusalError, invalid
from linq_async.sandbox.responses import ApiResponse, json_response
from linq_async.sandbox.state import PhoneNumber

from .call import ApiCall
from .fields import read_number

RESPONSE_RATE = 60


def list_phone_numbers(call: ApiCall) -> ApiResponse:
    """Answer with all lines, without paging."""
    lines = [phone_number_data(line) for line in call.state.lines.values()]
    return json_response(200, {"phone_numbers": lines})


def update_phone_number(call: ApiCall) -> ApiResponse:
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
    return json_response(200, phone_number_data(line))


def phone_number_data(line: PhoneNumber) -> Params:
    """Show a line as answers show it."""
    return {
        "id": line.id,
        "phone_number": line.phone_number,
        "forwarding_number": line.forwarding_number,
        "response_rate": RESPONSE_RATE,
    }
