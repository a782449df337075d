"""Messages to be sent. They can be built in one place, stored, and sent in another."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar, cast

import attrs

from linq_async.errors import InvalidArgumentError, Problem
from linq_async.models.checks import (
    NotAList,
    all_ascii,
    as_tuple,
    copied,
    list_problems,
    text_list_problems,
    text_problems,
    url_problem,
)
from linq_async.models.message_dicts import message_dict, message_fields
from linq_async.uploads import Attachable, Unattachable, Upload, as_upload
from linq_async.uploads.filenames import filename_problem

_KEY = re.compile(r"[a-zA-Z0-9_-]+")


class DerivedKey(str):
    """A key that the package derives from an event, so it may be used repeatedly. Only the response is compared.

    Internal: used for the replies of a bot.
    """

    __slots__ = ()


def new_idempotency_key() -> str:
    """Return a new, random idempotency key. Create it before a send that may be cancelled and repeated."""
    return secrets.token_hex(16)


def _as_uploads(values: Iterable[Attachable]) -> tuple[Attachable, ...]:
    """Record the position of open files. Never raises: what cannot be attached is replaced by the reason."""
    if values.__class__ is tuple and not values:
        return ()
    try:
        is_file = hasattr(values, "read")  # iterating over a file would read it
    except Exception:  # noqa: BLE001  # a caller's __getattr__ may raise anything
        is_file = False
    found = NotAList("must be a list, not a file") if is_file else copied(values)
    if isinstance(found, tuple):
        return tuple(cast("Attachable", as_upload(item)) for item in found)
    return cast("tuple[Attachable, ...]", found)


@attrs.frozen(kw_only=True)
class NewMessage:
    """A message to a chat, for ``messages.send``. Its ``repr`` shows neither text nor attachments."""

    text: str = attrs.field(repr=False)
    """The text. Must not be empty."""
    attachments: Sequence[Attachable] = attrs.field(default=(), repr=False, converter=_as_uploads)
    """Files: paths, open binary files, or Uploads."""
    attachment_urls: Sequence[str] = attrs.field(default=(), repr=False, converter=as_tuple)
    """Public URLs that the server downloads, each within 30 seconds."""
    idempotency_key: str | None = None
    """Letters, digits, ``-`` and ``_``. The server stores one message per key. None generates a key for each send."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build a message from the dict that ``to_dict`` returned.

        Use it only for messages that you stored yourself: a path attaches any file that this process can read.

        Raises:
            InvalidArgumentError: If a key is unknown or missing, or a value has the wrong type or cannot be sent.
        """
        found = _from_dict(cls, data)
        if isinstance(found, list):
            del data  # tracebacks show the local variables of this frame
            raise InvalidArgumentError(found)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the message as a dict that can be written as JSON, with paths as text.

        Raises:
            InvalidArgumentError: If the message cannot be sent, or an attachment is not a path: open files, streams and
                bytes cannot be stored.
        """
        found = self.problems() or message_dict(attrs.asdict(self, recurse=False))
        if isinstance(found, list):
            raise InvalidArgumentError(found)
        return found

    def problems(self) -> list[Problem]:
        """Return everything that prevents the message from being sent."""
        return text_problems(text=self.text) + self._other_problems()

    def _other_problems(self) -> list[Problem]:
        found: list[Problem] = []
        if self.attachment_urls:
            found += list_problems("attachment_urls", self.attachment_urls, url_problem)
        if self.attachments:
            found += list_problems("attachments", self.attachments, _attachment_problem)
        if self.idempotency_key is not None:
            found += key_problems(self.idempotency_key)
        return found

    def uploads(self) -> tuple[Upload, ...]:
        """Return the attachments. ``problems()`` must have returned none."""
        return tuple(item for item in self.attachments if isinstance(item, Upload))


@attrs.frozen(kw_only=True)
class NewChat(NewMessage):
    """A message to one or more people, for ``chats.send``. It goes to the chat that they share or to a new one.

    See "Create Chat" in the API reference.
    """

    send_from: str = attrs.field(repr=False)
    """One of your Linq numbers."""
    phone_numbers: Sequence[str] = attrs.field(repr=False, converter=as_tuple)
    """The recipients: ``+12223334444``, ``2223334444`` (+1 is assumed), or an email address. Must not be empty."""
    display_name: str | None = attrs.field(default=None, repr=False)
    """A name for the chat."""

    def problems(self) -> list[Problem]:
        """Return everything that prevents the message from being sent."""
        texts, people = {"send_from": self.send_from, "text": self.text}, self.phone_numbers
        if self.display_name is not None:
            texts["display_name"] = self.display_name
        if isinstance(people, tuple) and people and all_ascii((*texts.values(), *people)):
            return self._other_problems()
        return text_problems(**texts) + text_list_problems("phone_numbers", people) + self._other_problems()


Outgoing = TypeVar("Outgoing", bound=NewMessage)


def _from_dict(kind: type[Outgoing], data: object) -> Outgoing | list[Problem]:
    """Build a message, or return what is wrong with the dict. Never raises."""
    required = {field.name: field.default is attrs.NOTHING for field in attrs.fields(kind)}
    fields, problems = message_fields(data, required)
    if any(needed and name not in fields for name, needed in required.items()):
        return problems
    message = kind(**fields)
    return problems + message.problems() or message


def key_problems(key: object) -> list[Problem]:
    """Check an idempotency key."""
    if isinstance(key, str) and _KEY.fullmatch(key):
        return []
    return [Problem("idempotency_key", "must be one or more letters, digits, '-' or '_'")]


def _attachment_problem(value: object) -> str | None:
    if isinstance(value, Unattachable):
        return value.reason
    return filename_problem(value.filename) if isinstance(value, Upload) else "is not an Upload"
