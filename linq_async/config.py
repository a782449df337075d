"""Settings of a client: frozen values."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from ssl import SSLContext
from typing import Never, TypeAlias

import attrs
from multidict import CIMultiDict

from linq_async._version import __version__
from linq_async.attempts import AttemptHook
from linq_async.calls import CallHook
from linq_async.errors import InvalidArgumentError, Problem
from linq_async.timing import Timing

DEFAULT_BASE_URL = "https://api.linqapp.com"
TOKEN_HEADER = "X-LINQ-INTEGRATION-TOKEN"  # noqa: S105  # the header's name, not a token
TOKEN_VARIABLE = "LINQ_INTEGRATION_TOKEN"  # noqa: S105
BASE_URL_VARIABLE = "LINQ_BASE_URL"
SECRET_VARIABLE = "LINQ_WEBHOOK_SECRET"  # noqa: S105

KeySource: TypeAlias = Callable[[str], str]
"""Returns the idempotency key of a message that is sent without one. Its argument is from ``wire.target``."""

LARGEST = 1e9
"""The largest number of seconds, some thirty years, and of attempts. What is larger would overflow a clock."""


def is_number(value: object, *, above: float | None = None) -> bool:
    """Return whether a value is a number from 0, or above a limit, up to a billion. NaN is not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return value <= LARGEST and (value >= 0 if above is None else value > above)


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise InvalidArgumentError(problems)


@attrs.frozen
class Timeouts:
    """Time limits of the phases of one attempt, in seconds; None for no limit.

    Raises:
        InvalidArgumentError: If a limit is not a number above 0.
    """

    connect: float | None = 5.0
    """To get a connection: DNS, TCP and TLS together."""
    write: float | None = 30.0
    """Without progress while the body is sent. An upload that makes progress may take up to ``max_elapsed``."""
    read: float | None = 60.0
    """From the end of the body to the end of the answer. Each attachment URL adds 30 s: the server fetches it first."""
    total: float | None = None
    """For the whole attempt."""

    def __attrs_post_init__(self) -> None:
        _refuse(
            [
                Problem(name, "must be a number of seconds above 0, up to 1e9, or None")
                for name, value in attrs.asdict(self, recurse=False).items()
                if value is not None and not is_number(value, above=0)
            ]
        )


@attrs.frozen
class RetryPolicy:
    """How often, and for how long, a call is retried. Which failures are retried cannot be configured.

    Raises:
        InvalidArgumentError: If a value is out of range.
    """

    max_attempts: int = 4
    """The number of attempts, including the first one."""
    initial_delay: float = 0.5
    """Seconds: the first wait is random between 0 and this; the range doubles with each attempt."""
    max_delay: float = 8.0
    """Seconds: the longest wait, unless the server asks for a longer one by Retry-After."""
    max_elapsed: float = 120.0
    """Seconds for the whole call with its waits, from when it holds a connection slot. It also cuts attempts."""

    def __attrs_post_init__(self) -> None:
        problems = [
            Problem(name, "must be a number of seconds from 0 to 1e9")
            for name in ("initial_delay", "max_delay")
            if not is_number(getattr(self, name))
        ]
        if type(self.max_attempts) is not int or not 1 <= self.max_attempts <= LARGEST:
            problems.append(Problem("max_attempts", "must be an int from 1 to 1e9"))
        if not is_number(self.max_elapsed, above=0):
            problems.append(Problem("max_elapsed", "must be a number of seconds above 0, up to 1e9"))
        _refuse(problems)

    @classmethod
    def none(cls) -> RetryPolicy:
        """Return a policy with a single attempt, which never waits, not even if the server asks for it."""
        return cls(max_attempts=1)


@attrs.frozen(kw_only=True)
class Settings:
    """The settings of one client, or of one that ``with_options`` derived from it."""

    token: str = attrs.field(repr=False)
    base_url: str
    proxy: str | None = attrs.field(default=None, repr=False)
    ssl: SSLContext | None = attrs.field(default=None, repr=False)
    retry: RetryPolicy = RetryPolicy()
    timeouts: Timeouts = Timeouts()
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    on_attempt: AttemptHook | None = None
    on_call: CallHook | None = None
    max_response_bytes: int = 8 << 20
    show_details: bool = False
    timing: Timing = Timing()  # noqa: RUF009  # frozen
    key_source: KeySource | None = attrs.field(default=None, repr=False)
    """Derives the keys of messages that are sent without one. None generates random keys."""

    @functools.cached_property
    def request_headers(self) -> CIMultiDict[str]:
        """The headers of every request. Those of the caller may replace User-Agent and Accept."""
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        own = {"Accept": "application/json", "User-Agent": f"linq-async/{__version__} python/{python}"}
        return CIMultiDict({**merged_headers(own, self.headers), TOKEN_HEADER: self.token})

    def __reduce_ex__(self, protocol: object) -> Never:
        """Raise TypeError: a pickle or a copy would contain the token."""
        raise TypeError(
            "the settings of a LinqClient hold its token, so they are neither pickled nor copied: "
            "build a client where it is needed, or use with_options() for one with other settings"
        )


def merged_headers(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Add headers to others. A new one replaces an old one with the same name, regardless of case."""
    replaced = {name.lower() for name in new}
    return {**{name: value for name, value in old.items() if name.lower() not in replaced}, **new}
