"""The call of a control call, and the values in it."""

import attrs

from linq_async.sandbox.api.fields import optional_text, whole_number
from linq_async.sandbox.controls import Controls
from linq_async.sandbox.rack.params import Params
from linq_async.sandbox.refusals import invalid, missing, not_found
from linq_async.sandbox.state import State

MAX_ROWS = 5_000
LARGEST = 1e300
"""A larger whole number cannot be converted to a float."""


@attrs.frozen
class ControlCall:
    """What a control call gets: the sandbox, and the request as plain data."""

    sandbox: Controls
    state: State
    ids: dict[str, str]
    query: Params
    params: Params

    def id(self, name: str) -> int:
        """Return an id in the path, or refuse it."""
        number = whole_number(self.ids[name])
        if number is None:
            raise not_found("Such a path")
        return number

    def sender(self) -> str | None:
        """Return who acts, or None for the first recipient."""
        return optional_text(self.params, "from")

    def count(self, name: str, default: int) -> int:
        """Return a number in the query that counts rows or is an id."""
        number = whole_number(self.query.get(name))
        return default if number is None else number

    def rows(self, default: int) -> int:
        """Return how many rows are asked for, up to 5,000."""
        return min(self.count("limit", default), MAX_ROWS)

    def seconds(self, name: str) -> float:
        """Return a finite number of seconds in the body, or refuse it."""
        value = self.params.get(name)
        if value is None:
            raise missing(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST:
            raise invalid(f"{name} must be a number")
        return float(value)
