"""Holds one exchange against the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .document import ANYTHING, FORM, JSON, NOTHING, OPTIONAL, Contract, Operation, contract
from .exchange import ContractError, Exchange, Violation
from .forms import UnreadableError, flat_form, gather, read_form, typed

# Of HTTP itself, not of the API.
PLAIN_HEADERS = frozenset({"content-type", "content-length", "date", "server", "connection", "transfer-encoding"})


class Validator:
    """Finds what is outside the contract, departures not yet forgiven."""

    def __init__(self, given: Contract) -> None:
        self.contract = given

    def violations(self, exchange: Exchange) -> list[Violation]:
        """Return all that is wrong with a request and its answer."""
        path = urlsplit(exchange.url).path
        found = self.contract.find(exchange.method, path)
        if found is None:
            return [Violation("request.route", f"{exchange.method} {path} is not an operation", status=exchange.status)]
        operation, ids = found
        violations = list(self._request(operation, ids, exchange))
        if exchange.status is not None:
            violations += self._answer(operation, exchange.status, exchange)
        return violations

    def check(self, exchange: Exchange) -> None:
        """Raise ContractError if anything is outside the contract, departures included."""
        violations = self.violations(exchange)
        if violations:
            raise ContractError(exchange, violations)

    def _request(self, operation: Operation, ids: dict[str, str], exchange: Exchange) -> Iterator[Violation]:
        name = operation.name
        if not exchange.request_headers.get(self.contract.token_header):
            yield Violation("request.token", f"{self.contract.token_header} is missing", name)
        for place, value in ids.items():
            if not (value.isascii() and value.isdigit()):
                yield Violation("request.route", f"{value!r} is not an id", name, keyword="type", place=place)
        yield from self._query(operation, urlsplit(exchange.url).query)
        yield from self._body(operation, exchange)

    def _query(self, operation: Operation, query: str) -> Iterator[Violation]:
        kinds = {name.removesuffix(OPTIONAL): kind for name, kind in operation.query.items()}
        given = gather(
            ((name, typed(self.contract, kinds.get(name, "Text"), value)) for name, value in _pairs(query)), kinds
        )
        for name in operation.query:
            if not name.endswith(OPTIONAL) and name not in given:
                yield Violation("request.query", f"{name} is missing", operation.name, keyword="required")
        for name, value in given.items():
            if name not in kinds:
                what = f"{name!r} is unknown"
                yield Violation("request.query", what, operation.name, keyword="additionalProperties", value=value)
                continue
            for error in self.contract.errors(kinds[name], value):
                yield _violation("request.query", operation, error, name)

    def _body(self, operation: Operation, exchange: Exchange) -> Iterator[Violation]:
        where, body = "request.body", exchange.request_body
        if not operation.bodies:
            if body:
                yield Violation(where, "no body is taken", operation.name, keyword="body")
            return
        content_type = exchange.request_headers.get("Content-Type", "")
        kind = _media_type(content_type)
        if kind not in operation.bodies:
            what = f"{kind or 'no Content-Type'} instead of {' or '.join(operation.bodies)}"
            yield Violation("request.type", what, operation.name, value=kind)
            return
        if kind in operation.inferred:
            yield Violation("request.type", f"{kind} is not listed", operation.name, value=kind, keyword="inferred")
        schema = operation.bodies[kind]
        try:
            value = self._form(schema, body, content_type) if kind == FORM else _json(body)
        except UnreadableError as error:
            yield Violation(where, str(error), operation.name)
            return
        for found in self.contract.errors(schema, value):
            yield _violation(where, operation, found)

    def _form(self, schema: str, body: bytes, content_type: str) -> dict[str, Any]:
        return flat_form(self.contract, schema, read_form(body, content_type))

    def _answer(self, operation: Operation, status: int, exchange: Exchange) -> Iterator[Violation]:
        name, headers = operation.name, exchange.response_headers
        schema = operation.answers.get(status)
        if schema is None:
            code = error_code(exchange.response_body)
            what = f"{status} is not documented"
            yield Violation("answer.status", what, name, status=status, code=code)
            # Whether it may be is for the departures to say; its format is that of the other errors.
            schema = operation.error if status >= 400 else ANYTHING
        for header in headers:
            if header.lower() not in PLAIN_HEADERS:
                what = f"{header} is not documented"
                yield Violation("answer.headers", what, name, status=status, place=header.lower())
        if schema == NOTHING and exchange.response_body:
            yield Violation("answer.body", "a body, but none is documented", name, status=status)
        elif schema not in (NOTHING, ANYTHING):
            yield from self._json_answer(operation, status, schema, exchange)

    def _json_answer(self, operation: Operation, status: int, schema: str, exchange: Exchange) -> Iterator[Violation]:
        kind = _media_type(exchange.response_headers.get("Content-Type", ""))
        if kind != JSON:
            what = f"{kind or 'no Content-Type'} instead of {JSON}"
            yield Violation("answer.type", what, operation.name, status=status)
        try:
            value = _json(exchange.response_body)
        except UnreadableError as error:
            yield Violation("answer.body", str(error), operation.name, status=status)
            return
        errors = self.contract.errors(schema, value)
        for found in errors:
            yield _violation("answer.body", operation, found, status=status)
        if schema == "Error" and not errors and any(one["status"] != status for one in value["errors"]):
            yield Violation("answer.body", "an error with another status", operation.name, status=status)


def _violation(
    where: str, operation: Operation, error: Any, place: str = "", *, status: int | None = None
) -> Violation:
    """Turn what the schema's validator says into one of ours."""
    place += "".join(f"/{step}" for step in error.instance_path)
    value = error.instance
    return Violation(
        where, error.message, operation.name, status, keyword=str(error.schema_path[-1]), place=place, value=value
    )


def _media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"not JSON: {error}") from error


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def error_code(body: bytes) -> str | None:
    """Find the code in an error of either format."""
    try:
        value = json.loads(body)
        return str(value["error_code"] if "error_code" in value else value["errors"][0]["code"])
    except (ValueError, LookupError, TypeError):
        return None


@cache
def validator() -> Validator:
    """Give the validator of the contract."""
    return Validator(contract())
