"""Operations on contacts."""

from collections.abc import Callable
from typing import cast

from linq_async.sandbox import numbers
from linq_async.sandbox.rack.params import Params
from linq_async.sandbox.records import Contact, User
from linq_async.sandbox.refusals import RefusalError, invalid, missing
from linq_async.sandbox.responses import ApiResponse, api_time, json_response, page_of
from linq_async.sandbox.state import State

from .call import ApiCall
from .fields import optional_text, paging, read_number

NAMING_FIELDS = ("first_name", "last_name", "email", "phone_number")
FIELDS = (*NAMING_FIELDS, "company", "title", "location")


def list_contacts(call: ApiCall) -> ApiResponse:
    """Return one page of the contacts."""
    page = page_of(list(call.state.contacts.values()), *paging(call.query))
    contacts = [contact_data(contact) for contact in page.items]
    return json_response(200, {"contacts": contacts, "pagination": page.pagination})


def create_contact(call: ApiCall) -> ApiResponse:
    """Store a contact, which needs one of the four naming fields."""
    state = call.state
    fields = _without_blanks(_written_fields(call.params))
    _require_naming_field(fields)
    owner = _owner(state, call.params) or state.users[0]
    state.replace_texts((), fields.values(), things=1)
    return json_response(201, {"data": contact_data(state.add_contact(fields, owner))})


def find_contact(call: ApiCall) -> ApiResponse:
    """Return the first contact with the email or the number, without an envelope, or null."""
    wanted = {
        "email": _searched(call.query, "email", numbers.email),
        "phone_number": _searched(call.query, "phone_number", numbers.searched_number),
    }
    if not any(wanted.values()):
        raise missing("email or phone_number")
    for contact in call.state.contacts.values():
        if any(value and contact.fields.get(name) == value for name, value in wanted.items()):
            return json_response(200, contact_data(contact))
    return json_response(200, {"contact": None})


def _searched(query: Params, name: str, read: Callable[[str], str | None]) -> str | None:
    text = optional_text(query, name)
    if not text:
        return None
    value = read(text)
    if value is None:
        raise invalid(f"{name} is not valid")
    return value


def get_contact(call: ApiCall) -> ApiResponse:
    """Return a contact."""
    return json_response(200, {"data": contact_data(_contact(call))})


def update_contact(call: ApiCall) -> ApiResponse:
    """Change the given fields of a contact, which must include a naming field."""
    contact = _contact(call)
    given = _written_fields(call.params)
    if not given.keys() & set(NAMING_FIELDS):
        raise _no_naming_field()
    fields = _without_blanks({**contact.fields, **given})
    _require_naming_field(fields)
    owner = _owner(call.state, call.params) or contact.owner
    call.state.replace_texts(contact.fields.values(), fields.values())
    return json_response(200, {"data": contact_data(call.state.update_contact(contact, fields, owner))})


def delete_contact(call: ApiCall) -> ApiResponse:
    """Delete a contact."""
    contact = _contact(call)
    call.state.delete_contact(contact)
    call.state.replace_texts(contact.fields.values(), (), things=-1)
    return ApiResponse(204)


def _contact(call: ApiCall) -> Contact:
    refusal = RefusalError(404, "contact_not_found", "Contact not found")
    contact = call.state.contacts.get(call.id("id", refusal))
    if contact is None:
        raise refusal
    return contact


def _written_fields(params: Params) -> dict[str, str | None]:
    """Return the known fields of `contact`, checked; null stays null."""
    given = params.get("contact")
    # 422 is the only error that is documented for writing a contact.
    if not isinstance(given, dict):
        raise invalid("contact is required")
    given = cast("Params", given)
    known: dict[str, str | None] = {}
    for name in FIELDS:
        if name in given:
            known[name] = _checked(name, given[name])
    return known


def _checked(name: str, value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string")
    if name == "phone_number":
        return read_number(value, name, numbers.searched_number)
    if name == "email" and numbers.email(value) is None:
        raise invalid("email is not valid")
    return value.lower() if name == "email" else value


def _without_blanks(fields: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}


def _require_naming_field(fields: dict[str, str]) -> None:
    if not fields.keys() & set(NAMING_FIELDS):
        raise _no_naming_field()


def _no_naming_field() -> RefusalError:
    return invalid("At least one of first_name, last_name, email, phone_number must be present")


def _owner(state: State, params: Params) -> User | None:
    """Return the user that `user_email` names, or None if it is absent."""
    address = params.get("user_email")
    if address is None:
        return None
    for user in state.users:
        if isinstance(address, str) and user.email == address.lower():
            return user
    raise invalid("user_email is not a user of the organization")


def contact_data(contact: Contact) -> Params:
    """Return a contact as responses show it, without the fields that were never given."""
    names = (contact.fields.get("first_name"), contact.fields.get("last_name"))
    return {
        "id": contact.id,
        **contact.fields,
        "full_name": " ".join(name for name in names if name),
        "image_url": None,
        "created_at": api_time(contact.created_at),
        "updated_at": api_time(contact.updated_at),
        "contact_owner": owner_data(contact.owner),
    }


def owner_data(user: User) -> Params:
    """Return the owner of a contact as responses show it."""
    first, _, last = user.email.partition("@")[0].replace("_", ".").partition(".")
    names = {"first_name": first.title(), "last_name": last.title()}
    return {"id": user.id, "email": user.email, **names, "name": " ".join(filter(None, names.values()))}
