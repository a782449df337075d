"""Operations on contacts."""

from collections.abc import Callable
from typing import cast

from linq_async.sandbox import numbers
from linq_async.sandbox.rack.params import Params
from linq_async.sandbox.records import Contact, User
from linq_async.sandbox.refusals import RefusalError, invalid, missing
from linq_async.sandbox.responses import ApiResponse, json_response, office_time, page_of
from linq_async.sandbox.state import State

from .call import ApiCall
from .fields import optional_text, paging, read_number

NAMING_FIELDS = ("first_name", "last_name", "email", "phone_number")
FIELDS = (*NAMING_FIELDS, "company", "title", "location")


def list_contacts(call: ApiCall) -> ApiResponse:
    """Answer with one page of the contacts."""
    page = page_of(list(call.state.contacts.values()), *paging(call.query))
    contacts = [contact_data(contact) for contact in page.items]
    return json_response(200, {"contacts": contacts, "pagination": page.pagination})


def create_contact(call: ApiCall) -> ApiResponse:
    """Store a contact; one of four fields is needed."""
    state = call.state
    fields = _without_blanks(_written_fields(call.params))
    _need_a_name(fields)
    owner = _owner(state, call.params) or state.users[0]
    state.replace_texts((), fields.values(), things=1)
    return json_response(201, {"data": contact_data(state.add_contact(fields, owner))})


def find_contact(call: ApiCall) -> ApiResponse:
    """Answer with the first contact that has the email or the number, bare, or with null."""
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
    """Answer with a contact."""
    return json_response(200, {"data": contact_data(_contact(call))})


def update_contact(call: ApiCall) -> ApiResponse:
    """Change the given members of a contact; one of four fields must be among them."""
    contact = _contact(call)
    given = _written_fields(call.params)
    if not given.keys() & set(NAMING_FIELDS):
        raise _nameless()
    fields = _without_blanks({**contact.fields, **given})
    _need_a_name(fields)
    owner = _owner(call.state, call.params) or contact.owner
    call.state.replace_texts(contact.fields.values(), fields.values())
    return json_response(200, {"data": contact_data(call.state.update_contact(contact, fields, owner))})


def delete_contact(call: ApiCall) -> ApiResponse:
    """Remove a contact."""
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
    """Read the members of `contact` that the API knows, checked; null stays null."""
    given = params.get("contact")
    # 422 is the one refusal that is documented for writing a contact.
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


def _need_a_name(fields: dict[str, str]) -> None:
    if not fields.keys() & set(NAMING_FIELDS):
        raise _nameless()


def _nameless() -> RefusalError:
    return invalid("At least one of first_name, last_name, email, phone_number must be present")


def _owner(state: State, params: Params) -> User | None:
    """Find the user that `user_email` names, or None where nobody is named."""
    address = params.get("user_email")
    if address is None:
        return None
    for user in state.users:
        if isinstance(address, str) and user.email == address.lower():
            return user
    raise invalid("user_email names no user of the organization")


def contact_data(contact: Contact) -> Params:
    """Show a contact as answers show it; strings that were never given are left out."""
    names = (contact.fields.get("first_name"), contact.fields.get("last_name"))
    return {
        "id": contact.id,
        **contact.fields,
        "full_name": " ".join(name for name in names if name),
        "image_url": None,
        "created_at": office_time(contact.created_at),
        "updated_at": office_time(contact.updated_at),
        "contact_owner": owner_data(contact.owner),
    }


def owner_data(user: User) -> Params:
    """Show the owner of a contact as answers show it."""
    first, _, last = user.email.partition("@")[0].replace("_", ".").partition(".")
    names = {"first_name": first.title(), "last_name": last.title()}
    return {"id": user.id, "email": user.email, **names, "name": " ".join(filter(None, names.values()))}
