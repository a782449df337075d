"""Contacts: the fields that can be written, and what the server returns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict

import attrs

from linq_async._unset import UNSET, UnsetType
from linq_async.errors import Problem
from linq_async.models.checks import is_field_name, optional_text_problems, text_problem
from linq_async.models.common import ListResponse, PageMeta
from linq_async.models.decodable import WIRE_NAME, decodable

IDENTITY_FIELDS = ("first_name", "last_name", "email", "phone_number")
"""At least one of these must be in every request that writes a contact."""


class ContactFields(TypedDict, total=False):
    """The fields of a contact that can be written. None clears a field; UNSET leaves it out of the request."""

    first_name: str | UnsetType | None
    """The given name."""
    last_name: str | UnsetType | None
    """The family name."""
    email: str | UnsetType | None
    """The email address."""
    phone_number: str | UnsetType | None
    """The phone number, preferably as ``+12223334444``."""
    company: str | UnsetType | None
    """The employer."""
    title: str | UnsetType | None
    """The job title."""
    location: str | UnsetType | None
    """The location, as free text."""


@attrs.frozen
class ContactInput:
    """A contact to be written. Its ``repr`` shows no values."""

    fields: Mapping[str, Any] = attrs.field(repr=False)
    user_email: str | None = attrs.field(repr=False)

    def problems(self) -> list[Problem]:
        """Check the fields, but not whether one is missing."""
        known = ContactFields.__annotations__
        found = [
            Problem(name if is_field_name(name) else "contact", "is not a contact field")
            for name in self.fields
            if name not in known
        ]
        for name, value in self.fields.items():
            message = None if name not in known or value is None or value is UNSET else text_problem(value)
            if message is not None:
                found.append(Problem(name, message))
        return found + optional_text_problems(user_email=self.user_email)

    def identity_problems(self, *absent: object) -> list[Problem]:
        """Check that a field identifies the contact. ``absent`` are the values that count as missing."""
        if any(self.fields.get(name, UNSET) not in absent for name in IDENTITY_FIELDS):
            return []
        return [Problem("contact", f"must have one of {', '.join(IDENTITY_FIELDS)}")]

    def body(self) -> dict[str, Any]:
        """Return the JSON body. The API expects the owner's email next to the contact, not inside it."""
        return {"contact": self.fields, "user_email": UNSET if self.user_email is None else self.user_email}


@decodable
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
    """The full name."""


@decodable
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
    """The employer."""
    title: str | None = attrs.field(default=None, repr=False)
    """The job title."""
    location: str | None = attrs.field(default=None, repr=False)
    """The location, as free text."""
    image_url: str | None = attrs.field(default=None, repr=False)
    """The URL of a picture."""
    created_at: datetime | None = None
    """When the contact was created."""
    updated_at: datetime | None = None
    """When the contact was last changed."""
    contact_owner: ContactOwner | None = None
    """The user who owns the contact."""


@decodable
@attrs.define(kw_only=True)
class ContactList(ListResponse[Contact]):
    """The response to listing contacts."""

    data: list[Contact] = attrs.field(metadata={WIRE_NAME: "contacts"})
    """The contacts of one page. The API calls this field ``contacts``."""
    meta: PageMeta | None = attrs.field(default=None, metadata={WIRE_NAME: "pagination"})
    """Which page this is, and how many there are. The API calls this field ``pagination``."""
