"""Operations on the organisation's own numbers."""

from linq_async.sandbox.rack.params import Params
from linq_async.sandbox.records import PhoneNumber
from linq_async.sandbox.refusals import RefusalError, invalid
from linq_async.sandbox.responses import ApiResponse, json_response

from .call import ApiCall
from .fields import read_number

RESPONSE_RATE = 60


def list_phone_numbers(call: ApiCall) -> ApiResponse:
    """Return all phone numbers, without paging."""
    data = [phone_number_data(one) for one in call.state.phone_numbers.values()]
    return json_response(200, {"phone_numbers": data})


def update_phone_number(call: ApiCall) -> ApiResponse:
    """Set the forwarding number of a phone number; an empty string or null clears it."""
    refusal = RefusalError(403, "forbidden", "The phone number does not belong to your organization")
    number = call.state.phone_numbers.get(call.id("id", refusal))
    if number is None:
        raise refusal
    if "forwarding_number" not in call.params:
        raise invalid("forwarding_number is required")
    given = call.params["forwarding_number"]
    if given is not None and not isinstance(given, str):
        raise invalid("forwarding_number must be a string")
    forwarding_number = read_number(given, "forwarding_number") if given else None
    return json_response(200, phone_number_data(call.state.set_forwarding_number(number.id, forwarding_number)))


def phone_number_data(number: PhoneNumber) -> Params:
    """Return a phone number as responses show it."""
    return {
        "id": number.id,
        "phone_number": number.phone_number,
        "forwarding_number": number.forwarding_number,
        "response_rate": RESPONSE_RATE,
    }
