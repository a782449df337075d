"""What is sent: values that can be built in one place, stored, and sent in another."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from typing import cast

import attrs

from linq_async.errors import Problem
from linq_async.models.checks import (
    NotAList,
    as_tuple,
    copied,
    list_problems,
    text_list_problems,
    text_problems,
    url_problem,
)
from linq_async.uploads import Attachable, Unattachable, Upload, as_upload
from linq_async.uploads.filenames import filename_problem

_KEY = re.compile(r"[a-zA-Z0-9_-]+")


class DerivedKey(str):
    """A key that the package derives from an event. It may come again by design: only the answer is compared.

    Internal: a bot's replies use it.
    """

    __slots__ = ()


def new_idempotency_key() -> str:
    """Return a key that no other message has. Make it first where the send may be cancelled and repeated."""
    return secrets.token_hex(16)


def _as_uploads(values: Iterable[Attachable]) -> tuple[Attachable, ...]:
    """Note where open files stand now. Raises nothing: what cannot be attached is kept as its reason, and refused."""
    if values.__class__ is tuple and not values:
        return ()
    found = NotAList("must be a list, not a file") if _is_file(values) else copied(values)
    if isinstance(found, tuple):
        return tuple(cast("Attachable", as_upload(item)) for item in found)
    return cast("tuple[Attachable, ...]", found)


def _is_file(values: object) -> bool:
    """Return whether a file was passed in place of a list: to iterate over it would read it."""
    try:
        return hasattr(values, "read")
    except Exception:  # noqa: BLE001  # an odd object's __getattr__
        return False


@attrs.frozen(kw_only=True)
class NewMessage:
    """A message to be sent. No field's value is ever printed."""

    text: str = attrs.field(repr=False)
    """What is said; not empty."""
    attachments: Sequence[Attachable] = attrs.field(default=(), repr=False, converter=_as_uploads)
    """Files: paths, open binary files, or Uploads."""
    attachment_urls: Sequence[str] = attrs.field(default=(), repr=False, converter=as_tuple)
    """Public URLs that the server fetches, each within 30 seconds."""
    idempotency_key: str | None = None
    """Letters, digits, ``-`` and ``_``. The server stores one message for a key; None has one made."""

    def problems(self) -> list[Problem]:
        """Return all that keeps it from being sent; an empty list where nothing does."""
        return text_problems(text=self.text) + self._other_problems()

    def _other_problems(self) -> list[Problem]:
        found: list[Problem] = []
        if self.attachment_urls != ():
            found += list_problems("attachment_urls", self.attachment_urls, url_problem)
        if self.attachments != ():
            found += list_problems("attachments", self.attachments, _attachment_problem)
        if self.idempotency_key is not None:
            found += key_problems(self.idempotency_key)
        return found

    def uploads(self) -> tuple[Upload, ...]:
        """Return the attachments, once ``problems()`` has found none."""
        return tuple(item for item in self.attachments if isinstance(item, Upload))


@attrs.frozen(kw_only=True)
class NewChat(NewMessage):
    """A message to one or more people, in the chat that they share or in a new one.

    https://docs.linqapp.com, Create Chat
    """

    send_from: str = attrs.field(repr=False)
    """One of your own Linq numbers."""
    phone_numbers: Sequence[str] = attrs.field(repr=False, converter=as_tuple)
    """The recipients, one at least: ``+12223334444``, ``2223334444`` (+1 is assumed), or an email address."""
    display_name: str | None = attrs.field(default=None, repr=False)
    """A name for the chat."""

    def problems(self) -> list[Problem]:
        """Return all that keeps it from being sent; an empty list where nothing does."""
        found = text_problems(send_from=self.send_from, text=self.text)
        found += text_list_problems("phone_numbers", self.phone_numbers)
        if self.display_name is not None:
            found += text_problems(display_name=self.display_name)
        return found + self._other_problems()


def key_problems(key: object) -> list[Problem]:
    """Return what is wrong with an idempotency key."""
    if isinstance(key, str) and _KEY.fullmatch(key):
        return []
    return [Problem("idempotency_key", "must be one or more letters, digits, '-' or '_'")]


def _attachment_problem(value: object) -> str | None:
    if isinstance(value, Unattachable):
        return value.reason
    return filename_problem(value.filename) if isinstance(value, Upload) else "is not an Upload"
