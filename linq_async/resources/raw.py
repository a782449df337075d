"""``linq.request``: validates its arguments and builds a request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import unquote

import attrs

from linq_async.config import KeySource
from linq_async.errors import InvalidArgumentError, Problem
from linq_async.models.checks import is_field_name
from linq_async.models.outgoing import DerivedKey, key_problems
from linq_async.wire.request import API, METHODS, Request
from linq_async.wire.target import target_of

_PATH = re.compile(r"/(?!/)[^\s\x00-\x1f\x7f?#\\\ud800-\udfff]*")


@attrs.frozen(eq=False)
class RawCall:
    """The arguments of ``linq.request``, not yet validated. Its ``repr`` shows no values."""

    method: str
    path: str = attrs.field(repr=False)
    json: Mapping[str, Any] | None = attrs.field(repr=False)
    params: Mapping[str, Any] | None = attrs.field(repr=False)
    idempotency_key: str | None

    def request(self, more: Sequence[Problem] = (), key_source: KeySource | None = None) -> Request:
        """Validate the arguments and build a request. A message without a key gets one from the key source, if any.

        Raises:
            InvalidArgumentError: If an argument is refused, or there are ``more`` problems.
        """
        problems = [*self.problems(), *more]
        if problems:
            raise InvalidArgumentError(problems, operation="request")
        body, key = _with_key(self.json, self.idempotency_key)
        params = self.params or {}
        request = Request(
            operation="request",
            method=self.method.upper(),
            path=self.path,
            body=body,
            params=tuple((name, str(one)) for name, value in params.items() for one in _each(value) if one is not None),
            idempotency_key=key,
        )
        if key is None and key_source is not None and request.method == "POST" and _message_of(body) is not None:
            request.body, request.idempotency_key = _with_key(body, DerivedKey(key_source(target_of(request))))
        return request

    def problems(self) -> list[Problem]:
        """Check all arguments."""
        problems: list[Problem] = []
        if not isinstance(self.method, str) or self.method.upper() not in METHODS:
            problems.append(Problem("method", "must be one of " + ", ".join(sorted(METHODS))))
        # A server may decode a path, or ignore the parameters of its segments, before it resolves dot segments.
        segments = re.split(r"[/\\]", unquote(self.path)) if isinstance(self.path, str) else [".."]
        has_dots = any(segment.partition(";")[0] in {".", ".."} for segment in segments)
        if has_dots or not _PATH.fullmatch(self.path):
            message = f"must look like {API}/chats, without host, query or dot segments"
            problems.append(Problem("path", message))
        return problems + _param_problems(self.params) + _key_problems(self.json, self.idempotency_key)


def _param_problems(params: object) -> list[Problem]:
    if params is None:
        return []
    if not isinstance(params, Mapping):
        return [Problem("params", "must be a mapping")]
    problems: list[Problem] = []
    for name, value in cast("Mapping[object, object]", params).items():
        messages = {_param_problem(one) for one in _each(value) if one is not None}
        messages.add(_param_problem(name) if isinstance(name, str) else "must have names that are str")
        argument = f"params[{name!r}]" if is_field_name(name) else "params"
        problems += [Problem(argument, message) for message in messages if message is not None]
    return problems


def _param_problem(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return "must be a str, a number or a list of them"
    return "contains an unpaired surrogate" if re.search(r"[\ud800-\udfff]", str(value)) else None


def _each(value: object) -> Iterable[object]:
    """Return the values of a query parameter. A list repeats the parameter."""
    return cast("list[object]", value) if isinstance(value, list | tuple) else [value]


def _key_problems(json: object, key: object) -> list[Problem]:
    if json is not None and not isinstance(json, Mapping):
        return [Problem("json", "must be a mapping")]
    message = _message_of(cast("Mapping[str, Any] | None", json))
    found = None if message is None else message.get("idempotency_key")
    used = found if key is None else key
    problems = [] if used is None else key_problems(used)
    if key is not None and message is None:
        problems.append(Problem("idempotency_key", "requires a json body with a message that it can be put into"))
    if found not in (None, used):
        problems.append(Problem("idempotency_key", "differs from the one in json"))
    return problems


def _message_of(json: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    message: object = None if json is None else json.get("message")
    return cast("Mapping[str, Any]", message) if isinstance(message, Mapping) else None


def _with_key(json: Mapping[str, Any] | None, key: str | None) -> tuple[Mapping[str, Any] | None, str | None]:
    """Return the body with the key in ``message.idempotency_key``, where v2 reads it, and the key that is used."""
    message = _message_of(json)
    if json is None or message is None:
        return json, None
    used = message.get("idempotency_key") if key is None else key
    if used is None:
        return json, None
    return {**json, "message": {**message, "idempotency_key": used}}, used
