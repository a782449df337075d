"""A campaign: who sends what, and the message that it makes of a row. Pure, but for a look at attached files."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import attrs
import orjson

from linq_async.bulk.errors import RowProblem
from linq_async.bulk.keys import idempotency_key, line_of
from linq_async.bulk.numbers import e164
from linq_async.bulk.recipients import Row
from linq_async.bulk.template import Template, pieces
from linq_async.errors import InvalidArgumentError, Problem
from linq_async.models.checks import as_tuple, text_problem
from linq_async.models.outgoing import NewChat

MAX_TEXT = 20_000
"""Characters of a text. What is longer comes from a broken file, and 2,000 rows are in memory at once."""
MAX_ROW_ID = 200
MAX_ATTACHED = 100


@attrs.frozen(kw_only=True)
class Columns:
    """Which columns of a file are more than merge fields."""

    recipient: str = "phone_number"
    """The phone number."""
    row_id: str | None = None
    """What distinguishes two messages to one recipient, such as an order number. Without it, the second is skipped."""
    text: str | None = None
    """The whole text, in place of the text of the campaign."""
    attachment: str | None = None
    """The path of a file; in JSON Lines also a list of paths. It attaches any file that this process can read."""
    attachment_url: str | None = None
    """A public URL; in JSON Lines also a list of URLs."""


def _stripped(values: Iterable[str]) -> tuple[str, ...]:
    found = as_tuple(values)
    return tuple(dict.fromkeys(e164(one) or one for one in found)) if isinstance(found, tuple) else found


@attrs.frozen(kw_only=True)
class Campaign:
    """One message to many recipients. The same campaign and file may be sent any number of times: it is resumed.

    Raises:
        InvalidArgumentError: If a value cannot be used.
    """

    name: str
    """What identifies the campaign. It is part of every key, so two campaigns must not share a name."""
    senders: tuple[str, ...] = attrs.field(repr=False, converter=_stripped)
    """Your lines. A recipient always gets the same one."""
    text: str | None = attrs.field(default=None, repr=False)
    """The text, with merge fields such as ``{first_name}``. None if ``columns.text`` is set."""
    columns: Columns = Columns()

    def __attrs_post_init__(self) -> None:
        problems: list[Problem] = []
        if not isinstance(self.name, str) or not self.name.strip() or len(self.name) > 200 or text_problem(self.name):
            problems.append(Problem("name", "must be a text of 1 to 200 characters"))
        if not isinstance(self.senders, tuple) or not self.senders or not all(map(_is_e164, self.senders)):
            problems.append(Problem("senders", "must be one or more valid phone numbers"))
        if (self.text is None) is (self.columns.text is None):
            problems.append(Problem("text", "is required, either for all rows or as a column, but not both"))
        elif self.text is not None:
            problems += _template_problems(self.text)
        if problems:
            raise InvalidArgumentError(problems)

    @functools.cached_property
    def template(self) -> Template | None:
        """The text with its fields; None if each row has its own."""
        return None if self.text is None else Template.parse(self.text)

    @functools.cached_property
    def required(self) -> tuple[str, ...]:
        """The columns that a file must have."""
        columns = attrs.astuple(self.columns)
        fields = () if self.template is None else self.template.fields
        return tuple(dict.fromkeys([*[one for one in columns if one is not None], *fields]))

    def settings(self) -> dict[str, str]:
        """Return what must not change between two runs, as texts by name."""
        columns = attrs.asdict(self.columns)
        used = [f"{name}={value}" for name, value in sorted(columns.items()) if value is not None]
        return {
            "campaign": self.name,
            "text": self.text or "",
            "senders": ", ".join(sorted(self.senders)),
            "columns": ", ".join(used),
        }


@attrs.define
class Message:
    """The message that a row becomes."""

    number: int
    """The row, counted from 1."""
    key: str
    """Its idempotency key."""
    recipient: str = attrs.field(repr=False)
    """The phone number, in E.164."""
    row_id: str
    """The value of ``columns.row_id``; empty without one."""
    sender: str = attrs.field(repr=False)
    """The line."""
    text: str = attrs.field(repr=False)
    """The text, with the values of the row."""
    body: str = attrs.field(repr=False)
    """The NewChat as JSON, without its key: what the journal stores and every attempt sends."""


def messages(campaign: Campaign, rows: Iterable[Row | RowProblem]) -> Iterator[Message | RowProblem]:
    """Yield the message of each row, or everything that is wrong with it."""
    for row in rows:
        if isinstance(row, RowProblem):
            yield row
            continue
        found = _message(campaign, row)
        if isinstance(found, Message):
            yield found
        else:
            yield from [RowProblem(row.line, row.number, message) for message in found]


def _message(campaign: Campaign, row: Row) -> Message | list[str]:
    columns, template = campaign.columns, campaign.template
    values, problems = _texts(row.values, campaign)
    if problems:
        return problems
    recipient = e164(values[columns.recipient])
    if recipient is None:
        empty = not values[columns.recipient].strip()
        reason = "is empty" if empty else "is not a valid phone number (one from abroad starts with +)"
        problems.append(f"{columns.recipient} {reason}")
    row_id = "" if columns.row_id is None else values[columns.row_id].strip()
    if columns.row_id is not None and not row_id:
        problems.append(f"{columns.row_id} is empty")
    if len(row_id) > MAX_ROW_ID:
        problems.append(f"{columns.row_id} is longer than {MAX_ROW_ID} characters")
    if template is not None:
        problems += [f"{name} is empty" for name in template.missing(values)]
    parts = [values[columns.text or ""]] if template is None else pieces(template, values)
    if sum(map(len, parts)) > MAX_TEXT:
        problems.append(f"the text is longer than {MAX_TEXT:,} characters")
    if problems or recipient is None:
        return problems
    text = "".join(parts)
    if not text.strip():
        return ["the text is empty"]
    sender = line_of(recipient, campaign.senders)
    body: dict[str, Any] = {"send_from": sender, "phone_numbers": [recipient], "text": text}
    if columns.attachment is not None or columns.attachment_url is not None:
        attached = _attachments(row.values, columns, body)
        if isinstance(attached, list):
            return attached
        body |= attached
    key = idempotency_key(campaign.name, recipient, row_id)
    return Message(row.number, key, recipient, row_id, sender, text, orjson.dumps(body).decode())


def _texts(values: Mapping[str, object], campaign: Campaign) -> tuple[dict[str, str], list[str]]:
    """Return the values that are texts, and what is wrong with the others. Those of CSV are texts already."""
    found: dict[str, str] = {}
    problems: list[str] = []
    lists = {campaign.columns.attachment, campaign.columns.attachment_url}
    for name in campaign.required:
        value = values.get(name)
        if type(value) is str:
            found[name] = value
            if "\0" in value:  # JSON can spell it; SQLite would cut an id there, and two rows would get one key
                problems.append(f"{name} has a NUL character")
        elif value is None or name in lists:
            found[name] = ""
        elif type(value) is int:
            found[name] = str(value)
        else:
            found[name] = ""
            problems.append(f"{name} is not a text")
    return found, problems


def _attachments(values: Mapping[str, object], columns: Columns, fields: dict[str, Any]) -> dict[str, Any] | list[str]:
    """Return the fields of a message that hold the attachments of its row, or what is wrong with them."""
    found = {name: _listed(values, name) for name in (columns.attachment, columns.attachment_url) if name is not None}
    problems = [f"{name} is neither a text nor a list of texts" for name, value in found.items() if value is None]
    paths = [os.path.abspath(path) for path in found.get(columns.attachment or "") or []]
    problems += [f"{name} has more than {MAX_ATTACHED} entries" for name, value in found.items() if _is_long(value)]
    # Path.is_file raises if a name is too long, or a folder cannot be searched.
    problems = problems or [f"{columns.attachment} is not a file" for path in paths if not os.path.isfile(path)]
    if problems:
        return problems
    urls = found.get(columns.attachment_url or "") or []
    message = NewChat(**fields, attachments=[Path(path) for path in paths], attachment_urls=urls)
    try:
        whole = message.to_dict()
    except InvalidArgumentError as error:
        return [str(problem) for problem in error.problems]
    return {name: whole[name] for name in ("attachments", "attachment_urls")}


def _listed(values: Mapping[str, object], name: str) -> list[str] | None:
    value = values.get(name)
    if value is None or isinstance(value, str):
        return [value.strip()] if value and value.strip() else []
    items = cast("list[object]", value) if isinstance(value, list) else [None]
    return cast("list[str]", items) if all(isinstance(item, str) and item for item in items) else None


def _is_long(values: list[str] | None) -> bool:
    return values is not None and len(values) > MAX_ATTACHED


def _template_problems(text: object) -> list[Problem]:
    message = text_problem(text)
    if message is not None:
        return [Problem("text", message)]
    try:
        empty = not Template.parse(cast("str", text)).parts
    except InvalidArgumentError as error:
        return list(error.problems)
    return [Problem("text", "must not be empty")] if empty else []


def _is_e164(number: object) -> bool:
    return isinstance(number, str) and e164(number) == number
