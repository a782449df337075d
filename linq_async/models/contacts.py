"""Contacts: what is written, and what the server shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict

import attrs

from linq_async._unset import UNSET, UnsetType
from linq_async.errors import Problem
from linq_async.models.checks import is_field_name, optional_problems, text_problem
from linq_async.models.common import Page, Pagination

NAMING_FIELDS = ("first_name", "last_name", "email", "phone_number")
"""One of these must be in every request that writes a contact."""


class ContactFields(TypedDict, total=False):
    """What can be written of a contact. None clears a field; UNSET, as leaving it out, does not mention it."""

    first_name: str | UnsetType | None
    """The given name."""
    last_name: str | UnsetType | None
    """The family name."""
    email: str | UnsetType | None
    """The email address."""
    phone_number: str | UnsetType | None
    """The phone number, best as ``+12223334444``."""
    company: str | UnsetType | None
    """Where the person works."""
    title: str | UnsetType | None
    """The person's position there."""
    location: str | UnsetType | None
    """Where the person is."""


@attrs.frozen
class ContactInput:
    """A contact to be written. Prints none of its values."""

    fields: Mapping[str, Any] = attrs.field(repr=False)
    user_email: str | None = attrs.field(repr=False)

    def problems(self) -> list[Problem]:
        """Return all that is wrong with the fields, but for one that is missing."""
        known = ContactFields.__annotations__
        unknown = [name for name in self.fields if name not in known]
        found = [Problem(name if is_field_name(name) else "contact", "is not a field of a contact") for name in unknown]
        for name, value in self.fields.items():
            if name not in known:
                continue
            message = None if value is None or value is UNSET else text_problem(value)
            if message is not None:
                found.append(Problem(name, message))
        return found + optional_problems(user_email=self.user_email)

    def unnamed(self, *absent: object) -> list[Problem]:
        """Return a problem where none of four fields is there; ``absent`` are the values that count as not there."""
        if any(self.fields.get(name, UNSET) not in absent for name in NAMING_FIELDS):
            return []
        return [Problem("contact", f"must have one of {', '.join(NAMING_FIELDS)}")]

    def body(self) -> dict[str, Any]:
        """Return it as the API takes it: the owner stands beside the contact."""
        return {"contact": self.fields, "user_email": UNSET if self.user_email is None else self.user_email}


@attrs.define(kw_only=True)
class ContactOwner:
    """The user who owns a contact."""

    id: int
    """The server's id."""
    email: str | None = attrs.field(default=None, repr=False)
    """The email address."""
    first_name: str | None = attrs.field(default=None, repr=False)
    """The given name."""
    last_name: str | None = attrs.field(default=None, repr=False)
    """The family name."""
    name: str | None = attrs.field(default=None, repr=False)
    """The whole name."""


@attrs.define(kw_only=True)
class Contact:
    """An entry of the organization's address book."""

    id: int
    """The server's id."""
    first_name: str | None = attrs.field(default=None, repr=False)
    """The given name."""
    last_name: str | None = attrs.field(default=None, repr=False)
    """The family name."""
    full_name: str | None = attrs.field(default=None, repr=False)
    """Both names, joined by the server."""
    email: str | None = attrs.field(default=None, repr=False)
    """The email address."""
    phone_number: str | None = attrs.field(default=None, repr=False)
    """The phone number."""
    company: str | None = attrs.field(default=None, repr=False)
    """Where the person works."""
    title: str | None = attrs.field(default=None, repr=False)
    """The person's position there."""
    location: str | None = attrs.field(default=None, repr=False)
    """Where the person is."""
    image_url: str | None = attrs.field(default=None, repr=False)
    """A picture."""
    created_at: datetime | None = None
    """When it was made."""
    updated_at: datetime | None = None
    """When it was changed last."""
    contact_owner: ContactOwner | None = None
    """The user who owns it."""


@attrs.define(kw_only=True)
class ContactList:
    """The answer to listing contacts."""

    contacts: list[Contact]
    """The contacts of one page."""
    pagination: Pagination | None = None
    """Where the page stands."""

    def page(self, asked: int) -> Page[Contact]:
        """Return the page that this is, or that was asked for where it does not say."""
        pagination = self.pagination or Pagination()
        return pagination.page_of(self.contacts, asked)
