"""The contract, spelled out of its short form: operations, and JSON schemas compiled once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

FILE = Path(__file__).with_name("linq_v2.yaml")
JSON, FORM = "application/json", "multipart/form-data"
NOTHING, ANYTHING = "nothing", "anything"
STANDARD_ERROR = "StandardError"
REF = "#/components/schemas/"
OPTIONAL = "~"
_PLACE = re.compile(r"\{(\w+)\}")

Schema = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """One operation, as the contract has it."""

    name: str
    method: str
    path: str
    """With its prefix, and names in braces in place of ids."""
    query: Mapping[str, str]
    """The types of its parameters; a name that ends in `~` may be left out."""
    bodies: Mapping[str, str]
    """The name of the schema for each media type; empty without a body."""
    inferred: frozenset[str]
    """The media types that no documentation lists."""
    answers: Mapping[int, str]
    error: str
    """The format of its errors, documented or not."""
    pattern: re.Pattern[str] = field(repr=False, compare=False)

    @property
    def ids(self) -> list[str]:
        """The names of the ids in its path."""
        return _PLACE.findall(self.path)


class Contract:
    """All operations and schemas."""

    def __init__(self, text: str) -> None:
        self._source = yaml.safe_load(text)
        self.token_header = str(self._source["token"])
        self.prefix = str(self._source["prefix"])
        self.schemas: dict[str, Schema] = dict(self._schemas())
        self.operations = {name: self._operation(name, given) for name, given in self._source["operations"].items()}
        self._validators: dict[str, Any] = {}

    def _schemas(self) -> Iterator[tuple[str, Schema]]:
        yield from self._source["values"].items()
        for name, members in self._source["objects"].items():
            yield name, {**_object_schema(members), **self._source["rules"].get(name, {})}
        for name, branches in self._source["choices"].items():
            yield name, {"oneOf": [schema_of(branch) for branch in branches]}

    def _operation(self, name: str, given: Mapping[str, Any]) -> Operation:
        method, path = given["call"].split()
        bodies = {JSON: given.get("json"), FORM: given.get("form") or given.get("inferred_form")}
        standard = path.startswith(tuple(self._source["standard_errors"]))
        return Operation(
            name=name,
            method=method,
            path=self.prefix + path,
            query=given.get("query", {}),
            bodies={kind: schema for kind, schema in bodies.items() if schema},
            inferred=frozenset([FORM] if "inferred_form" in given else []),
            answers={**given["answers"], **self._source["everywhere"]},
            error=STANDARD_ERROR if standard else "Error",
            pattern=re.compile(re.escape(self.prefix) + _PLACE.sub(r"(?P<\1>[^/]+)", path)),
        )

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """Find the operation of a request, and the ids in its path; a fixed path goes before one with an id."""
        best: tuple[Operation, dict[str, str]] | None = None
        for operation in self.operations.values():
            found = operation.pattern.fullmatch(path) if operation.method == method else None
            if found and (best is None or len(found.groupdict()) < len(best[1])):
                best = operation, found.groupdict()
        return best

    def errors(self, kind: str, value: object) -> list[Any]:
        """Return what is wrong with a value of a type."""
        if kind not in self._validators:
            schema = {**schema_of(kind), "components": {"schemas": self.schemas}}
            self._validators[kind] = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        return list(self._validators[kind].iter_errors(value))

    def kinds_of(self, name: str) -> dict[str, str]:
        """Return the type of each member of an object of the short form."""
        return {member.removesuffix(OPTIONAL): kind for member, kind in self._source["objects"][name].items()}

    def plain(self, kind: str) -> Schema:
        """Return the schema of a value, not a reference to it."""
        return self.schemas[bare(kind)]


def schema_of(kind: str) -> Schema:
    """Spell a type of the short form."""
    if kind == "null":
        return {"type": "null"}
    if kind.endswith("|null"):
        return {"anyOf": [schema_of(kind.removesuffix("|null")), {"type": "null"}]}
    if kind.endswith("*"):
        return {"type": "array", "items": schema_of(kind[:-1])}
    if kind.endswith("+"):
        return {"type": "array", "items": schema_of(kind[:-1]), "minItems": 1}
    return {"$ref": REF + kind}


def bare(kind: str) -> str:
    """Take the marks off a type."""
    return kind.removesuffix("|null").rstrip("*+")


def is_array(kind: str) -> bool:
    """Whether a type is an array."""
    return kind.endswith(("*", "+"))


def _object_schema(members: Mapping[str, str]) -> Schema:
    return {
        "type": "object",
        "required": [name for name in members if not name.endswith(OPTIONAL)],
        "properties": {name.removesuffix(OPTIONAL): schema_of(kind) for name, kind in members.items()},
        "additionalProperties": False,
    }


@cache
def contract() -> Contract:
    """Read the contract once."""
    return Contract(FILE.read_text(encoding="utf-8"))
