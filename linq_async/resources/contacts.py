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
from linq_async.wire.result import CallResult

_CONTACT = "/contacts/{contact_id}"


class Contacts(Resource):
    """The organization's address book."""

    @returns_coroutine
    def create(self, *, user_email: str | None = None, **fields: Unpack[ContactFields]) -> Coroutine[Any, Any, Contact]:
        """Create a contact. One of first_name, last_name, email and phone_number is required.

        Fields that are None are left out. ``user_email`` names the owner, by default the first admin.
        Not retried once sent: v2 accepts no idempotency key here. See "Create Contact" in the API reference.

        Raises:
            InvalidArgumentError: If a field is refused. Nothing is sent.
            LinqError: For any other failure.
        """
        given = {name: value for name, value in fields.items() if value is not None}
        contact = ContactInput(given, user_email)
        problems = contact.problems() + contact.identity_problems(UNSET, "")
        draft = Draft("contacts.create", "POST", "/contacts", body=contact.body(), problems=problems)
        return self._result(draft, Contact)

    def list(self, *, page: int = 1, per_page: int = 100) -> Pager[Contact]:
        """List the contacts, starting at a page. At most 100 items per page are returned.

        See "List Contacts" in the API reference.

        Raises:
            InvalidArgumentError: If an argument is refused. Raised when the list is read, like all others.
            LinqError: For any other failure.
        """
        return self._pager(Draft("contacts.list", "GET", "/contacts"), ContactList, page, per_page)

    @returns_coroutine
    def get(self, contact_id: int) -> Coroutine[Any, Any, Contact]:
        """Return a contact. See "Get Contact" in the API reference.

        Raises:
            NotFoundError: If no such contact exists.
            LinqError: For any other failure.
        """
        return self._result(Draft("contacts.get", "GET", _CONTACT, {"contact_id": contact_id}), Contact)

    @returns_coroutine
    def find(self, *, email: str | None = None, phone_number: str | None = None) -> Coroutine[Any, Any, Contact | None]:
        """Return the contact with an email address or a phone number, or None if there is none.

        If you pass both, a contact that matches either may be returned: compare its fields.
        See "Find Contact" in the API reference.

        Raises:
            InvalidArgumentError: If neither is passed, or one is refused.
            LinqError: For any other failure.
        """
        given = {"email": email, "phone_number": phone_number}
        problems = optional_text_problems(**given)
        if email is None and phone_number is None:
            problems.append(Problem("email", "or phone_number is required"))
        params = [(name, value) for name, value in given.items() if value is not None]
        draft = Draft("contacts.find", "GET", "/contacts/find", params=params, problems=problems)
        return self._observed(draft, self._found, draft)

    async def _found(self, draft: Draft) -> Contact | None:
        result = await self._send(draft)
        return None if _is_miss(result) else result.decode(None, Contact)

    @returns_coroutine
    def update(
        self, contact_id: int, *, user_email: str | None = None, **fields: Unpack[ContactFields]
    ) -> Coroutine[Any, Any, Contact]:
        """Change some fields of a contact. None clears a field, UNSET leaves it unchanged.

        One of first_name, last_name, email and phone_number is required, so repeat one to change another field. Pass
        ``user_email`` again to keep the owner: the API does not document whether it is kept. This is a PATCH and is not
        retried once sent. See "Update Contact" in the API reference.

        Raises:
            InvalidArgumentError: If a field is refused. Nothing is sent.
            NotFoundError: If no such contact exists.
            LinqError: For any other failure.
        """
        return self._write("contacts.update", "PATCH", contact_id, ContactInput(fields, user_email))

    @returns_coroutine
    def replace(
        self, contact_id: int, *, user_email: str | None = None, **fields: Unpack[ContactFields]
    ) -> Coroutine[Any, Any, Contact]:
        """Change some fields of a contact like ``update``, but with a PUT, which is retried.

        The API documents PUT as changing only the fields that are sent, despite the method's usual meaning.
        See "Update Contact" in the API reference.

        Raises:
            LinqError: As ``update`` does.
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
        """Delete a contact permanently. See "Delete Contact" in the API reference.

        Raises:
            NotFoundError: If no such contact exists.
            LinqError: For any other failure.
        """
        return self._done(Draft("contacts.delete", "DELETE", _CONTACT, {"contact_id": contact_id}))


def _is_miss(result: CallResult) -> bool:
    """Return whether nothing was found. A contact is not wrapped, a miss is ``{"contact": null}``.

    A function, because its frame holds the contact and must not be in the traceback of a DecodeError.
    """
    data = result.any_json()
    found = cast("dict[str, Any]", data) if isinstance(data, dict) else {"id": 0}
    return "id" not in found and found.get("contact", found) is None
