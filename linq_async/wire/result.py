"""The result of a call, after all of its attempts."""

from __future__ import annotations

from typing import Any, TypeVar

import attrs

from linq_async.errors import DecodeError
from linq_async.wire.request import RawResponse
from linq_async.wire.response import decode, json_or_none

T = TypeVar("T")


@attrs.define(eq=False)
class CallResult:
    """A 2xx response, with the operation, the key and the number of attempts of its call."""

    raw: RawResponse
    operation: str
    idempotency_key: str | None
    attempts: int

    def any_json(self) -> Any:
        """Return the JSON value of the body, or None if it is empty or not JSON.

        Raises:
            DecodeError: If the body is too large.
        """
        try:
            return json_or_none(self.raw)
        except DecodeError as error:
            undecodable = error
        raise self._annotate_error(undecodable)

    def decode(self, envelope: str | None, returns: type[T]) -> T:
        """Return the model in the body, from the member named ``envelope`` or from the root.

        Raises:
            DecodeError: If the body does not have the documented shape.
        """
        try:
            return decode(self.raw, envelope, returns)
        except DecodeError as error:
            undecodable = error
        raise self._annotate_error(undecodable)

    def _annotate_error(self, error: DecodeError) -> DecodeError:
        error.operation = self.operation
        error.idempotency_key, error.attempts = self.idempotency_key, self.attempts
        return error
