"""What was asked, and what came back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast
from urllib.parse import unquote

import attrs

from linq_async.errors import InvalidArgumentError, Outcome, Problem
from linq_async.models.checks import is_field_name
from linq_async.models.outgoing import NewMessage, key_problems

API = "/api/partner/v2"
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
METHODS = REPEATABLE | {"POST", "PATCH"}
URL_SECONDS = 30.0
"""How long the server may take to fetch one attachment URL before it answers."""

T = TypeVar("T")

_PATH = re.compile(r"/(?!/)[^\s\x00-\x1f\x7f?#\\\ud800-\udfff]*")


@attrs.define(eq=False, kw_only=True)  # not frozen: it never leaves the package, and is made for each call
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
    spacing: float = 0.0
    """Seconds that lie between two attempts, at the least."""
    sizes: list[int | None] | None = None
    """The sizes of the message's attachments, once they are measured."""
    failed: Outcome = Outcome.NOT_SENT
    """What the attempts that have failed may have done, joined."""

    @property
    def message(self) -> NewMessage | None:
        """The body, if it is a message."""
        return self.body if isinstance(self.body, NewMessage) else None

    @property
    def json(self) -> Mapping[str, Any]:
        """The body, if it is no message; empty where there is none."""
        return {} if self.body is None or isinstance(self.body, NewMessage) else self.body

    @property
    def extra_read_seconds(self) -> float:
        """How much longer than usual the answer may take."""
        return URL_SECONDS * len(self.body.attachment_urls) if isinstance(self.body, NewMessage) else 0.0


@attrs.define(eq=False)
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


@attrs.frozen(eq=False)
class PlainCall:
    """The arguments of ``linq.request``, unchecked. Their values are never printed."""

    method: str
    path: str = attrs.field(repr=False)
    json: Mapping[str, Any] | None = attrs.field(repr=False)
    params: Mapping[str, Any] | None = attrs.field(repr=False)
    idempotency_key: str | None

    def request(self, more: Sequence[Problem] = ()) -> Request:
        """Check the arguments and make a Request of them. Raises InvalidArgumentError, with ``more`` problems."""
        problems = [*self.problems(), *more]
        if problems:
            raise InvalidArgumentError(problems)
        return self._checked_request()

    def problems(self) -> list[Problem]:
        """Return all that is wrong with the arguments."""
        return (
            _route_problems(self.method, self.path)
            + _param_problems(self.params)
            + _key_problems(self.json, self.idempotency_key)
        )

    def _checked_request(self) -> Request:
        body, key = _keyed(self.json, self.idempotency_key)
        return Request(
            operation="request",
            method=self.method.upper(),
            path=self.path,
            body=body,
            params=tuple(_pairs(self.params or {})),
            idempotency_key=key,
        )


def _route_problems(method: object, path: object) -> list[Problem]:
    problems: list[Problem] = []
    if not isinstance(method, str) or method.upper() not in METHODS:
        problems.append(Problem("method", "must be one of " + ", ".join(sorted(METHODS))))
    if not isinstance(path, str) or not _PATH.fullmatch(path) or _has_dot_segment(path):
        example = f"{API}/chats"
        problems.append(Problem("path", f"must be one such as {example}, without host, query or dot segments"))
    return problems


def _has_dot_segment(path: str) -> bool:
    """Return whether a server that decodes the path, or drops the parameters of its segments, would climb in it."""
    return any(part.partition(";")[0] in {".", ".."} for part in re.split(r"[/\\]", unquote(path)))


def _param_problems(params: object) -> list[Problem]:
    if params is None:
        return []
    if not isinstance(params, Mapping):
        return [Problem("params", "must be a mapping")]
    return [
        Problem(f"params[{name!r}]" if is_field_name(name) else "params", message)
        for name, value in cast("Mapping[object, object]", params).items()
        for message in {_name_problem(name), *(_param_problem(one) for one in _each(value) if one is not None)}
        if message is not None
    ]


def _name_problem(name: object) -> str | None:
    return _param_problem(name) if isinstance(name, str) else "must have names that are str"


def _param_problem(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return "must be a str, a number or a list of them"
    return "holds half a character (a lone surrogate)" if re.search(r"[\ud800-\udfff]", str(value)) else None


def _each(value: object) -> Iterable[object]:
    return cast("list[object]", value) if isinstance(value, list | tuple) else [value]


def _pairs(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Spell a query: a list repeats its name, None is left out."""
    for name, value in params.items():
        yield from ((name, str(one)) for one in _each(value) if one is not None)


def _key_problems(json: object, key: object) -> list[Problem]:
    if json is not None and not isinstance(json, Mapping):
        return [Problem("json", "must be a mapping")]
    message = _message_of(cast("Mapping[str, Any] | None", json))
    found = None if message is None else message.get("idempotency_key")
    used = found if key is None else key
    problems = [] if used is None else key_problems(used)
    if key is not None and message is None:
        problems.append(Problem("idempotency_key", "needs a json body with a message, for v2 reads it there"))
    if found not in (None, used):
        problems.append(Problem("idempotency_key", "differs from the one in json"))
    return problems


def _message_of(json: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    message: object = None if json is None else json.get("message")
    return cast("Mapping[str, Any]", message) if isinstance(message, Mapping) else None


def _keyed(json: Mapping[str, Any] | None, key: str | None) -> tuple[Mapping[str, Any] | None, str | None]:
    """Put the key where v2 reads it, ``message.idempotency_key``, or find it there."""
    message = _message_of(json)
    if json is None or message is None:
        return json, None
    used = message.get("idempotency_key") if key is None else key
    if used is None:
        return json, None
    return {**json, "message": {**message, "idempotency_key": used}}, used
