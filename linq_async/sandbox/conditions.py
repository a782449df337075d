"""What all requests to a sandbox meet: a slow line, failures now and then, and a rate limit."""

from typing import Any, TypeGuard, cast

import attrs


def _is_between(value: object, least: float, most: float) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _check_latency(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
    pair = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value, value)
    seconds = [one for one in pair if _is_between(one, 0, 3600)]
    if len(pair) != 2 or len(seconds) != 2 or seconds[0] > seconds[1]:
        raise ValueError(f"{field.name} must be a number of seconds up to 3600, or a pair of the least and the most")


def _check_share(_: object, field: "attrs.Attribute[float]", value: object) -> None:
    if not _is_between(value, 0, 1):
        raise ValueError(f"{field.name} must be a number from 0 to 1")


def _check_rate(_: object, field: "attrs.Attribute[float | None]", value: object) -> None:
    if value is not None and not _is_between(value, 1e-6, 1e6):
        raise ValueError(f"{field.name} must be a number from 0.000001 to 1,000,000, or None")


@attrs.frozen(kw_only=True)
class Conditions:
    """What all requests meet that carry the token. Counted, not random, so that tests can assert.

    Raises:
        ValueError: If a value cannot be used.
    """

    latency: float | tuple[float, float] = attrs.field(default=0.0, validator=_check_latency)
    """Seconds that each response takes longer. With a pair, they are spread evenly between the two."""
    fail: float = attrs.field(default=0.0, validator=_check_share)
    """The share of requests that fail: with 0.1, each tenth. The failures take turns: 503, a reset before the request
    is stored, and a reset after it. A request with another fault is not counted."""
    rate_limit: float | None = attrs.field(default=None, validator=_check_rate)
    """Requests in a second; as many may come at once, and at least one. Those beyond get 429 with Retry-After."""
