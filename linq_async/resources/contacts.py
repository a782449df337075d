"""``linq.contacts``."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Unpack, cast

from linq_async._unset import UNSET
from linq_async.errors import Problem
from linq_async.models.checks import optional_text_problems
from linq_async.models.contacts import Contact, ContactFields, ContactInput, ContactList
from linq_async.resources.base import Draft, Resource
from linq_async.resources.coroutines import returns_coroutine
from linq_async.resources.pager import Pager
from linq_async.wire.answer import Answer

_CONTACT = "/contacts/{contact_id}"


class Contacts(Resource):
    """The organization's address book."""

    @returns_coroutine
    def create(self, *, user_email: str | None = None, **fields: Unpack[ContactFields]) -> Coroutine[Any, Any, Contact]:
        """Add a contact, which one of first_name, last_name, email and phone_number must name.

        None is as good as left out. ``user_email`` is the user who is to own it; else the first admin does. It
        carries no key, so a lost answer is raised, with outcome UNKNOWN. Raises InvalidArgumentError before anything
        is sent, else a LinqError. https://docs.linqapp.com, Create Contact.
        """
        given = {name: value for name, value in fields.items() if value is not None}
        contact = ContactInput(given, user_email)
        problems = contact.problems() + contact.identity_problems(UNSET, "")
        draft = Draft("contacts.create", "POST", "/contacts", body=contact.body(), problems=problems)
        return self._result(draft, Contact)

    def list(self, *, page: int = 1, per_page: int = 100) -> Pager[Contact]:
        """List the contacts, from a page on. More than 100 a page are not given.

        Raises, when it is read, a LinqError. https://docs.linqapp.com, List Contacts.
        """
        return self._pager(Draft("contacts.list", "GET", "/contacts"), ContactList, page, per_page)

    @returns_coroutine
    def get(self, contact_id: int) -> Coroutine[Any, Any, Contact]:
        """Return a contact.

        Raises NotFoundError where there is none, or another LinqError. https://docs.linqapp.com, Get Contact.
        """
        return self._result(Draft("contacts.get", "GET", _CONTACT, {"contact_id": contact_id}), Contact)

    @returns_coroutine
    def find(self, *, email: str | None = None, phone_number: str | None = None) -> Coroutine[Any, Any, Contact | None]:
        """Return the contact with an email address or a number; None where there is none.

        With both, one that has either is found: compare. Raises InvalidArgumentError with neither, else a LinqError.
        https://docs.linqapp.com, Find Contact.
        """
        given = {"email": email, "phone_number": phone_number}
        problems = optional_text_problems(**given)
        if email is None and phone_number is None:
            problems.append(Problem("email", "or phone_number must be given"))
        params = [(name, value) for name, value in given.items() if value is not None]
        return self._found(Draft("contacts.find", "GET", "/contacts/find", params=params, problems=problems))

    async def _found(self, draft: Draft) -> Contact | None:
        answer = await self._send(draft)
        return None if _is_miss(answer) else answer.decode(None, Contact)

    @returns_coroutine
    def update(
        self, contact_id: int, *, user_email: str | None = None, **fields: Unpack[ContactFields]
    ) -> Coroutine[Any, Any, Contact]:
        """Change some fields of a contact: None clears one, UNSET leaves it as it is.

        One of first_name, last_name, email and phone_number must be among them, so repeat one to change another
        field. Pass ``user_email`` again where the owner matters: the documentation does not say that it stays. A PATCH,
        so a lost answer is raised, with outcome UNKNOWN. Raises InvalidArgumentError, NotFoundError, or another
        LinqError. https://docs.linqapp.com, Update Contact.
        """
        return self._write("contacts.update", "PATCH", contact_id, ContactInput(fields, user_email))

    @returns_coroutine
    def replace(
        self, contact_id: int, *, user_email: str | None = None, **fields: Unpack[ContactFields]
    ) -> Coroutine[Any, Any, Contact]:
        """Do what ``update`` does, by a PUT, which is repeated when its answer is lost.

        Despite its name, which is that of the method, the API documents it as changing only the fields given.
        Raises what ``update`` raises. https://docs.linqapp.com, Update Contact.
        """
        return self._write("contacts.replace", "PUT", contact_id, ContactInput(fields, user_email))

    def _write(
        self, operation: str, method: str, contact_id: int, contact: ContactInput
    ) -> Coroutine[Any, Any, Contact]:
        problems = contact.problems() + contact.identity_problems(UNSET)
        ids = {"contact_id": contact_id}
        return self._result(Draft(operation, method, _CONTACT, ids, body=contact.body(), problems=problems), Contact)

    @returns_coroutine
    def delete(self, contact_id: int) -> Coroutine[Any, Any, None]:
        """Delete a contact, for good.

        Raises NotFoundError where there is none, or another LinqError. https://docs.linqapp.com, Delete Contact.
        """
        return self._done(Draft("contacts.delete", "DELETE", _CONTACT, {"contact_id": contact_id}))


def _is_miss(answer: Answer) -> bool:
    """Tell whether nothing was found: a contact comes bare, a miss as ``{"contact": null}``."""
    data = answer.any_json()
    found = cast("dict[str, Any]", data) if isinstance(data, dict) else {"id": 0}
    return "id" not in found and found.get("contact", found) is None
