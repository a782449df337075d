"""Records as JSON, as a file keeps them, and the checks with which they are read again: the file may be anybody's."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import attrs

from . import numbers
from .api.contacts import FIELDS
from .api.fields import IDEMPOTENCY_KEY, web_url
from .api.messages import REACTIONS
from .api.webhook_subscriptions import EVENTS
from .clock import LONGEST_ADVANCE
from .files import SandboxAttachment, UploadedFile, media_type
from .kept import Kept, KeptBehaviour, KeptSettings, Record
from .records import Contact, PhoneNumber, SandboxChat, SandboxMessage, SandboxReaction, SandboxSubscription
from .refusals import RefusalError

FileOf = Callable[[SandboxAttachment], SandboxAttachment]
"""Adds its file to an attachment that has one."""
LEFT_OUT = frozenset({"messages", "typing", "typing_recipients"})
"""Fields of a chat that are not kept, or have rows of their own."""
SCALARS = frozenset({int, float, bool, str, type(None)})
MAX_NUMBER = 1 << 53
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class KeptError(Exception):
    """A row cannot have been written by a sandbox of this version."""


KINDS: dict[str, type[Record]] = {
    "chats": SandboxChat,
    "messages": SandboxMessage,
    "contacts": Contact,
    "phone_numbers": PhoneNumber,
    "subscriptions": SandboxSubscription,
    "behaviours": KeptBehaviour,
    "settings": KeptSettings,
}
"""The kinds of rows, which are the fields of `Kept`."""


def to_json(record: Record) -> str:
    """Write a record as JSON in ASCII."""
    value = attrs.asdict(record, filter=lambda field, _: field.name not in LEFT_OUT, value_serializer=_plain)
    return json.dumps(value)


def _plain(_: object, field: object, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return True if isinstance(value, UploadedFile) else value


def from_json(kind: str, text: str, file_of: FileOf) -> Record:
    """Read a row.

    Raises:
        KeptError: If it is not a record of this kind.
    """
    if kind not in KINDS:
        raise KeptError("it has rows of an unknown kind")
    try:
        record: Record = _read(KINDS[kind], json.loads(text), file_of)
    except (ValueError, TypeError, RecursionError, OverflowError, RefusalError):
        raise KeptError(f"a row of {kind} is damaged") from None
    return record


def _read(hint: Any, value: Any, file_of: FileOf) -> Any:
    """Return a JSON value as what the hint asks for, or raise ValueError or TypeError."""
    if hint in SCALARS:  # first, because nearly all values are
        return _checked(value, hint)
    origin, parts = get_origin(hint), get_args(hint)
    if attrs.has(hint):
        return _read_record(hint, value, file_of)
    if origin is tuple:
        return tuple(_read(parts[0], one, file_of) for one in _checked(value, list))
    if origin in (dict, Mapping):
        return {name: _read(parts[1], one, file_of) for name, one in _checked(value, dict).items()}
    if origin is UnionType:
        return _read_one_of(parts, value, file_of)
    return _read_moment(value)


def _read_one_of(hints: tuple[Any, ...], value: Any, file_of: FileOf) -> Any:
    for hint in hints:
        with suppress(ValueError, TypeError):
            return _read(hint, value, file_of)
    raise ValueError(value)


def _read_record(kind: Any, value: Any, file_of: FileOf) -> Any:
    hints = _hints(kind)
    given = dict(_checked(value, dict))
    stored = given.pop("file", None) if kind is SandboxAttachment else None
    if given.keys() != hints.keys() - {"file"}:
        raise ValueError(kind)
    record = kind(**{name: _read(hints[name], one, file_of) for name, one in given.items()})
    if not _is_plausible(record):
        raise ValueError(kind)
    return file_of(record) if stored is True and isinstance(record, SandboxAttachment) else record


@cache
def _hints(kind: type[object]) -> dict[str, Any]:
    return {name: hint for name, hint in get_type_hints(kind).items() if name not in LEFT_OUT}


def _read_moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(_checked(value, str))
    if moment.tzinfo is None or not 1970 < moment.year < 5000:
        raise ValueError(value)
    return moment


def _checked(value: Any, kind: type[Any]) -> Any:
    """Return the value if it is of this very type, and a number that can be one."""
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (kind in (int, float) and not (0 <= value < MAX_NUMBER)):
        raise ValueError(kind)
    return value


def _is_plausible(record: object) -> bool:
    """Return whether the values of a record can be, as far as their types do not say it."""
    match record:
        case SandboxChat():
            people = record.recipients
            return _is_number(record.send_from) and len(people) > 0 and all(map(_is_person, people))
        case SandboxMessage():
            return all(
                one.message_id == record.id and one.from_phone == sender for sender, one in record.reactions.items()
            ) and (record.idempotency_key is None or IDEMPOTENCY_KEY.fullmatch(record.idempotency_key) is not None)
        case SandboxReaction():
            return record.kind in REACTIONS
        case SandboxAttachment():
            is_url = web_url(record.url, "url") == record.url
            return is_url and UUID.fullmatch(record.id) is not None and media_type(record.content_type) is not None
        case Contact():
            return record.fields.keys() <= set(FIELDS)
        case PhoneNumber():
            return _is_number(record.phone_number)
        case SandboxSubscription():
            return web_url(record.webhook_url, "webhook_url") != "" and EVENTS.issuperset(record.events)
        case KeptBehaviour():
            record.behaviour()  # raises ValueError
            return _is_person(record.phone_number)
        case KeptSettings():
            return record.advanced <= LONGEST_ADVANCE
        case _:
            return True


def _is_number(text: str) -> bool:
    return numbers.phone_number(text) == text


def _is_person(text: str) -> bool:
    return numbers.participant(text) == text


def check_links(kept: Kept) -> None:
    """Check that each message belongs to a chat and its people.

    Raises:
        KeptError: If one does not.
    """
    people = {chat.id: {chat.send_from, *chat.recipients} for chat in kept.chats}
    for message in kept.messages:
        if not people.get(message.chat_id, set[str]()).issuperset((message.send_from, *message.recipients)):
            raise KeptError("a message belongs to no chat")


def row_id(record: Record) -> str:
    """Return the id of the row of a record."""
    if isinstance(record, KeptBehaviour):
        return record.phone_number
    return "1" if isinstance(record, KeptSettings) else str(record.id)
