"""What was asked, and what came back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

import attrs

from linq_async.errors import InvalidArgumentError, Problem
from linq_async.models.outgoing import NewMessage, key_problems

API = "/api/partner/v2"
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
METHODS = REPEATABLE | {"POST", "PATCH"}
URL_SECONDS = 30.0
"""How long the server may take to fetch one attachment URL before it answers."""

T = TypeVar("T")

_PATH = re.compile(r"/(?!/)[^\s\x00-\x1f\x7f?#\\]*")
_DOTS = re.compile(r"(^|/)(\.|%2e){1,2}(/|$)", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class Request:
    """One call of the API, before anything of HTTP is decided but its route."""

    operation: str
    """Its name in logs: ``chats.create``."""
    method: str
    path: str = attrs.field(repr=False)
    body: NewMessage | Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    """A message, any other JSON object, or nothing."""
    params: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    idempotency_key: str | None = None
    """The key in the body; the pipeline makes one for a message that has none."""
    group: str = "default"
    """The limit group: a 429 pauses the others of the same group."""

    @property
    def extra_read_seconds(self) -> float:
        """How much longer than usual the answer may take."""
        urls = self.body.attachment_urls if isinstance(self.body, NewMessage) else ()
        return URL_SECONDS * len(urls)


@attrs.frozen
class RawResponse:
    """An answer, read to its end or to the cap."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    oversized: bool = False
    """Whether the body is longer than the cap, and cut there."""


@attrs.frozen(kw_only=True)
class Response(Generic[T]):
    """The answer to ``linq.request``, whole."""

    status: int
    """The HTTP status, within 2xx; or 404 to a DELETE that an earlier attempt of the same call had carried out."""
    headers: Mapping[str, str] = attrs.field(repr=False)
    """Names in lower case."""
    request_id: str | None
    """The server's id of the request, if it gave one."""
    body: bytes = attrs.field(repr=False)
    """The bytes that came, decompressed."""
    data: T = attrs.field(repr=False)
    """What ``returns`` asked for; else the JSON value, None where the body is empty or not JSON."""
    idempotency_key: str | None = None
    """The key that the request carried."""
    attempts: int = 1
    """How many attempts it took."""


@attrs.frozen
class PlainCall:
    """The arguments of ``linq.request``, unchecked. Their values are never printed."""

    method: str
    path: str = attrs.field(repr=False)
    json: Mapping[str, Any] | None = attrs.field(repr=False)
    params: Mapping[str, Any] | None = attrs.field(repr=False)
    idempotency_key: str | None

    def request(self) -> Request:
        """Check the arguments and make a Request of them. Raises InvalidArgumentError."""
        problems = _route_problems(self.method, self.path)
        pairs = _pairs(self.params, problems)
        body, key = _keyed(self.json, self.idempotency_key, problems)
        if problems:
            raise InvalidArgumentError(problems)
        return Request(
            operation="request",
            method=self.method.upper(),
            path=self.path,
            body=body,
            params=pairs,
            idempotency_key=key,
        )


def _route_problems(method: object, path: object) -> list[Problem]:
    problems: list[Problem] = []
    if not isinstance(method, str) or method.upper() not in METHODS:
        problems.append(Problem("method", "must be one of " + ", ".join(sorted(METHODS))))
    if not isinstance(path, str) or not _PATH.fullmatch(path) or _DOTS.search(path):
        example = f"{API}/chats"
        problems.append(Problem("path", f"must be one such as {example}, without host, query or dot segments"))
    return problems


def _pairs(params: object, problems: list[Problem]) -> tuple[tuple[str, str], ...]:
    """Spell a query: a list repeats its name, None is left out."""
    if params is None:
        return ()
    if not isinstance(params, Mapping):
        problems.append(Problem("params", "must be a mapping"))
        return ()
    found: list[tuple[str, str]] = []
    for name, value in cast("Mapping[object, object]", params).items():
        for one in cast("list[object]", value) if isinstance(value, list | tuple) else [value]:
            if isinstance(one, bool) or not isinstance(one, str | int | float | None):
                problems.append(Problem(f"params[{name!r}]", "must be a str, a number or a list of them"))
            elif one is not None:
                found.append((str(name), str(one)))
    return tuple(found)


def _keyed(json: object, key: str | None, problems: list[Problem]) -> tuple[Mapping[str, Any] | None, str | None]:
    """Put the key where v2 reads it, ``message.idempotency_key``, or find it there."""
    if json is not None and not isinstance(json, Mapping):
        problems.append(Problem("json", "must be a mapping"))
        return None, None
    body = None if json is None else dict(cast("Mapping[str, Any]", json))
    message: Any = None if body is None else body.get("message")
    inside = cast("Mapping[str, Any]", message) if isinstance(message, Mapping) else None
    found: object = None if inside is None else inside.get("idempotency_key")
    used = found if key is None else key
    if used is None:
        return body, None
    problems += key_problems(used)
    if body is None or inside is None:
        problems.append(Problem("idempotency_key", "needs a json body with a message, for v2 reads it there"))
        return None, None
    if found not in (None, used):
        problems.append(Problem("idempotency_key", "differs from the one in json"))
    return {**body, "message": {**inside, "idempotency_key": used}}, cast("str", used)
