"""``linq.contacts``."""

from __future__ import annotations

from typing import Any

import pytest

from linq_async import UNSET, Contact
from linq_async.sandbox import Sandbox
from tests.support.clock import Clock
from tests.support.world import MIRA, THEO, World, client_on, failure_of

pytestmark = pytest.mark.asyncio
UNNAMED = "contact must have one of first_name, last_name, email, phone_number"


async def test_create_with_everything(world: World) -> None:
    """All seven fields arrive, with the owner's address next to them."""
    fields: Any = {"first_name": "Mira", "last_name": "Okafor", "email": "mira@example.org", "phone_number": MIRA}
    fields |= {"company": "Northlight Bakery", "title": "Owner", "location": "Duluth, MN"}
    contact = await world.linq.contacts.create(user_email="sam.reyes@example.com", **fields)
    assert {name: getattr(contact, name) for name in fields} == fields
    assert contact.full_name == "Mira Okafor"
    assert contact.contact_owner is not None
    assert contact.contact_owner.email == "sam.reyes@example.com"
    assert await world.linq.contacts.get(contact.id) == contact


async def test_create_leaves_out_what_is_none(world: World) -> None:
    """None is not sent for a new contact."""
    contact = await world.linq.contacts.create(first_name="Mira", last_name=None, email=UNSET, company=None)
    assert (contact.first_name, contact.last_name, contact.email) == ("Mira", None, None)


async def test_create_for_nobody(world: World) -> None:
    """The server rejects an unknown owner, in the error format of contacts."""
    error: Any = await failure_of(world.linq.contacts.create(first_name="Mira", user_email="nobody@example.com"))
    assert type(error).__name__ == "UnprocessableEntityError"
    assert error.errors[0].code == "INVALID_PARAMS"
    assert "user_email" in error.errors[0].detail


async def test_update_clears_with_none_and_keeps_with_unset(filled: World) -> None:
    """None clears a field; UNSET, or leaving the field out, keeps it."""
    contact = await filled.linq.contacts.update(filled.contact_id, first_name="M.", email=None, phone_number=UNSET)
    assert (contact.first_name, contact.email, contact.phone_number) == ("M.", None, MIRA)
    assert filled.seen == [("PATCH", f"/contacts/{filled.contact_id}")]


async def test_clearing_is_naming(filled: World) -> None:
    """A field set to None counts as given: the server decides what that means."""
    contact = await filled.linq.contacts.update(filled.contact_id, email=None)
    assert (contact.email, contact.phone_number) == (None, MIRA)


async def test_replace_is_partial_too(filled: World) -> None:
    """PUT changes only the fields that are given, as documented."""
    contact = await filled.linq.contacts.replace(filled.contact_id, last_name="Okafor", company="Bakery")
    assert (contact.first_name, contact.last_name, contact.company) == ("Mira", "Okafor", "Bakery")
    assert filled.seen == [("PUT", f"/contacts/{filled.contact_id}")]


@pytest.mark.parametrize("fields", [{}, {"company": "Bakery"}, {"email": UNSET}, {"user_email": "sam@example.com"}])
async def test_one_of_four_is_needed(filled: World, fields: Any) -> None:
    """No method sends a contact without one of the four naming fields."""
    contacts, id_ = filled.linq.contacts, filled.contact_id
    for call in (contacts.create(**fields), contacts.update(id_, **fields), contacts.replace(id_, **fields)):
        assert (await failure_of(call)).message == UNNAMED
    assert filled.seen == []


@pytest.mark.parametrize("fields", [{"first_name": None}, {"email": ""}])
async def test_a_new_contact_needs_more_than_nothing(filled: World, fields: Any) -> None:
    """A naming field that is None or empty does not count."""
    assert (await failure_of(filled.linq.contacts.create(**fields))).message == UNNAMED


async def test_all_that_is_wrong_at_once(filled: World) -> None:
    """The error lists every invalid argument by name, without its value."""
    fields: Any = {"emial": "mira@example.org", "email": 5, "company": "\ud800", "user_email": ""}
    error = await failure_of(filled.linq.contacts.update(-1, **fields))
    assert error.message.split("; ") == [
        "contact_id must be an int above 0",
        "emial is not a contact field",
        "email must be a str, not int",
        "company contains an unpaired surrogate",
        "user_email must not be empty",
    ]
    assert filled.seen == []


async def test_find_by_number_or_address(filled: World) -> None:
    """``find`` matches an address or a number, in any notation, and either of them if both are given."""
    find = filled.linq.contacts.find
    found = [await find(phone_number="(334) 328-4472"), await find(email="mira@example.org")]
    found += [await find(email="mira@example.org", phone_number=THEO)]
    assert [contact and contact.id for contact in found] == [filled.contact_id] * 3
    assert filled.sandbox.requests[-1].query == f"email=mira@example.org&phone_number=%2B{THEO[1:]}"


async def test_find_nobody(filled: World) -> None:
    """``find`` returns None for a miss, which the API answers with 200 and null."""
    assert await filled.linq.contacts.find(phone_number=THEO) is None
    filled.sandbox.faults.answer(200, json={"contact": None, "message": "none"})
    assert await filled.linq.contacts.find(phone_number=THEO) is None


async def test_find_by_nothing(filled: World) -> None:
    """``find`` requires an address or a number."""
    error = await failure_of(filled.linq.contacts.find())
    assert (error.message, filled.seen) == ("email or phone_number is required", [])


@pytest.mark.parametrize("body", [{"contact": {"id": 1}}, {}, [], None, {"id": None, "contact": None}])
async def test_find_guesses_nothing(filled: World, body: object) -> None:
    """A response to ``find`` that is neither a contact nor null is a DecodeError."""
    filled.sandbox.faults.answer(200, body=str(body).replace("None", "null").replace("'", '"'))
    error = await failure_of(filled.linq.contacts.find(phone_number=MIRA))
    assert type(error).__name__ == "DecodeError"


async def test_every_string_may_be_null(filled: World) -> None:
    """Every field of a contact but its id may be null."""
    names = [field for field in Contact.__annotations__ if field != "id"]
    filled.sandbox.faults.answer(200, json={"data": {"id": 1, **dict.fromkeys(names)}})
    assert await filled.linq.contacts.get(1) == Contact(id=1)


async def test_delete(filled: World) -> None:
    """A deleted contact is not found again."""
    assert await filled.linq.contacts.delete(filled.contact_id) is None
    error: Any = await failure_of(filled.linq.contacts.get(filled.contact_id))
    assert (error.status, error.errors[0].code) == (404, "CONTACT_NOT_FOUND")


async def test_list_in_the_other_dialect() -> None:
    """A page of contacts has its totals, which the API names differently there."""
    async with Sandbox() as sandbox, client_on(sandbox, Clock()) as linq:
        for number in range(3):
            await linq.contacts.create(first_name=f"No {number}")
        page = await linq.contacts.list(page=2, per_page=2)
        assert (page.number, page.total_pages, page.total_count, page.per_page) == (2, 2, 3, 2)
        assert [contact.first_name for contact in page] == ["No 2"]
