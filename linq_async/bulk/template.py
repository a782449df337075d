"""Texts with merge fields: ``Hi {first_name}``. Strict: a field without a value is a problem, not a gap."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import attrs

from linq_async.errors import InvalidArgumentError, Problem

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}|]*)(?:\|([^{}|]*))?\}|[{}]")
_FIELD = re.compile(r"[^\W\d][\w .-]{0,63}")


def is_merge_field(name: str) -> bool:
    """Return whether a column can be named in a text, and in an error: a letter first, so that no number is shown."""
    return _FIELD.fullmatch(name) is not None


@attrs.frozen
class MergeField:
    """One field of a text."""

    name: str
    """The name of a column."""
    fallback: str | None = attrs.field(default=None, repr=False)
    """What is written if the value is empty, from ``{name|fallback}``; None if that is a problem."""


@attrs.frozen
class Template:
    """A text with merge fields. Build it with ``parse``."""

    parts: tuple[str | MergeField, ...] = attrs.field(repr=False)
    """Texts and fields, in order."""

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read ``{name}`` and ``{name|fallback}`` as fields, and ``{{`` and ``}}`` as braces.

        Raises:
            InvalidArgumentError: If a brace has no counterpart, or a field has no usable name.
        """
        found = _parts(text)
        if isinstance(found, Problem):
            del text  # tracebacks show the local variables of this frame
            raise InvalidArgumentError([found])
        return cls(found)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields, each once, in order."""
        return tuple(dict.fromkeys(part.name for part in self.parts if isinstance(part, MergeField)))

    def missing(self, values: Mapping[str, str]) -> list[str]:
        """Return the fields that have neither a value nor a fallback."""
        return [
            part.name
            for part in self.parts
            if isinstance(part, MergeField) and part.fallback is None and not values.get(part.name, "").strip()
        ]

    def render(self, values: Mapping[str, str]) -> str:
        """Return the text with its values. ``missing`` must have returned none."""
        return "".join(pieces(self, values))


def pieces(template: Template, values: Mapping[str, str]) -> list[str]:
    """Return what ``render`` joins. Its length is known before it takes memory."""
    return [part if isinstance(part, str) else _value(part, values) for part in template.parts]


def _value(field: MergeField, values: Mapping[str, str]) -> str:
    return values.get(field.name, "").strip() or field.fallback or ""


def _parts(text: str) -> tuple[str | MergeField, ...] | Problem:
    """Split a text at its fields, or return what is wrong with it."""
    parts: list[str | MergeField] = []
    end = 0
    for token in _TOKEN.finditer(text):
        parts.append(text[end : token.start()])
        end = token.end()
        if token[0] in ("{{", "}}"):
            parts.append(token[0][0])
        elif token[1] is None:
            return Problem("text", f"has a brace at character {token.start() + 1} that must be doubled, or closed")
        elif not is_merge_field(token[1]):
            return Problem("text", f"has a field at character {token.start() + 1} whose name is not that of a column")
        else:
            parts.append(MergeField(token[1], token[2]))
    return tuple(_joined([*parts, text[end:]]))


def _joined(parts: Iterable[str | MergeField]) -> list[str | MergeField]:
    """Join adjacent texts, and leave out empty ones."""
    found: list[str | MergeField] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        elif part != "":
            found.append(part)
    return found
