"""Messages as dicts that can be written as JSON. Nothing here raises: the frames hold texts and phone numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from linq_async.errors import InvalidArgumentError, Problem
from linq_async.models.checks import is_field_name, required_text_problem, text_problem
from linq_async.uploads import PathSource, Upload

_LISTS = ("phone_numbers", "attachments", "attachment_urls")
_UPLOAD = {"path": True, "filename": False, "content_type": False}
"""The keys of an attachment, and whether each is required."""


def message_dict(fields: Mapping[str, Any]) -> dict[str, Any] | list[Problem]:
    """Return the fields of a sendable message as JSON values, or the attachments that are not paths."""
    attachments: list[dict[str, str]] = []
    problems: list[Problem] = []
    for index, upload in enumerate(cast("tuple[Upload, ...]", fields["attachments"])):
        name, source = f"attachments[{index}]", upload.source
        if not isinstance(source, PathSource):
            problems.append(Problem(name, "cannot be stored: only an attachment that is a path can"))
        elif text_problem(source.path) is not None:
            problems.append(Problem(name, "cannot be stored: its path contains bytes that are not text"))
        else:
            attachments.append({"path": source.path, "filename": upload.filename, "content_type": upload.content_type})
    lists = {name: list(value) for name, value in fields.items() if name in _LISTS}
    return problems or {**fields, **lists, "attachments": attachments}


def message_fields(data: object, required: Mapping[str, bool]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the fields of a message that a dict holds, and everything wrong with their names and types.

    The fields contain only known keys, and lists are of the right type.
    """
    fields, problems = _members("", data, required)
    for name in _LISTS:
        value = fields.get(name, [])
        if not isinstance(value, list | tuple):
            problems.append(Problem(name, f"must be a list, not {type(value).__name__}"))
            del fields[name]
    entries = [_upload(f"attachments[{index}]", entry) for index, entry in enumerate(fields.get("attachments", ()))]
    found = [problem for entry in entries if isinstance(entry, list) for problem in entry]
    if entries:
        fields["attachments"] = [entry for entry in entries if isinstance(entry, Upload)]
    return fields, problems + found


def _upload(name: str, data: object) -> Upload | list[Problem]:
    """Return the Upload that a dict describes, or everything wrong with it."""
    members, problems = _members(name, data, _UPLOAD)
    for member, value in members.items():
        message = None if value is None and not _UPLOAD[member] else required_text_problem(value)
        if message is not None:
            problems.append(Problem(f"{name}.{member}", message))
    if problems:
        return problems
    try:
        return Upload.from_path(**members)
    except InvalidArgumentError as error:
        return [Problem(f"{name}.{problem.argument}", problem.message) for problem in error.problems]


def _members(prefix: str, data: object, required: Mapping[str, bool]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the known members of a dict, and everything wrong with its keys. A key that is not a name is not shown."""
    whole, dot = prefix or "data", f"{prefix}." if prefix else ""
    if not isinstance(data, Mapping):
        return {}, [Problem(whole, f"must be a dict, not {type(data).__name__}")]
    try:
        members = dict(cast("Mapping[object, object]", data))
    except Exception as error:  # noqa: BLE001  # a caller's mapping may raise anything
        return {}, [Problem(whole, f"cannot be read: it raised {type(error).__name__}")]
    known = {key: value for key, value in members.items() if isinstance(key, str) and key in required}
    problems = [
        Problem(
            f"{dot}{key}" if is_field_name(key) else whole,
            "is not a known key" if is_field_name(key) else "has an unknown key",
        )
        for key in members
        if key not in known
    ]
    missing = [name for name, needed in required.items() if needed and name not in known]
    return known, problems + [Problem(f"{dot}{name}", "is required") for name in missing]
