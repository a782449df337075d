"""The sandbox: settings, start, close."""

import logging
import os
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.http import HttpProcessingError

from . import numbers
from .app import make_app
from .conditions import Conditions
from .context import AppContext, OnRequest
from .controls import Controls
from .guard import Guard, allowed_hosts, bracketed, host_name, is_loopback
from .limits import Limits
from .webhooks.outbox import OnDelivery

DEFAULT_TOKEN = "sandbox-token"  # noqa: S105
DEFAULT_PHONE_NUMBERS = ("+15175269229", "+12025550101")
DEFAULT_USERS = ("sam.reyes@example.com",)
# How long an idle connection, and one whose refused body goes on, stay open.
IDLE_SECONDS = 75.0
LINGERING_SECONDS = 5.0


class MalformedRequestFilter(logging.Filter):
    """Drops what aiohttp logs about malformed requests: it contains their bytes."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is logged."""
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


http_logger: logging.Logger = logging.getLogger("linq_async.sandbox.http")
http_logger.addFilter(MalformedRequestFilter())


def utc_now() -> datetime:
    """Return the time, with an offset."""
    return datetime.now(UTC)


class Sandbox(Controls):
    """A local server that plays Linq Partner API v2 over real HTTP.

    Use it as `async with Sandbox() as sandbox:`, or call `start()` and `close()`. `deliver_after` is how many
    seconds after being sent a message shows as delivered, None for never; `imessage_interval` how many
    seconds must lie between two iMessage checks; `on_request` is called with the log entry of every request
    once it is answered or dropped; `user_emails` are the people who may own contacts, the first one by
    default; `clock` gives the time and must be aware; `normalise` is applied to the text of each message when it is
    stored, as a server would that rewrites texts.

    `token` is by default `DEFAULT_TOKEN` on loopback, and a random one if `host` lets other machines in. A request
    is answered if its `Host` is `localhost`, a loopback address, the address that it came to, `host`, or one of
    `allow_hosts`; if it comes from no other page's `Origin`; and if its body has no `Content-Encoding`. `limits`
    bound what a request may carry and what is kept. Times in answers have the offset -05:00, those of webhook
    subscriptions are in UTC, as in the documentation of the API; they are the same moments.

    Events are delivered to the webhook subscriptions whose URL is on this machine, or on one of `webhook_hosts`.
    `deliveries` logs the attempts, and scripts their faults; `on_delivery` is called with each of them.

    `latency`, `fail` and `rate_limit` are the `Conditions` that all requests meet. `keep` is an SQLite file that keeps
    what is stored, and what is set for numbers, from one run to the next; it is created if it does not exist.

    Readers can follow everything that happens in `changes`: see `Changes`.

    Raises:
        ValueError: If a setting cannot be used.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        phone_numbers: Iterable[str] = DEFAULT_PHONE_NUMBERS,
        deliver_after: float | None = 0.0,
        imessage_interval: float = 10.0,
        on_request: OnRequest | None = None,
        user_emails: Iterable[str] = DEFAULT_USERS,
        clock: Callable[[], datetime] = utc_now,
        allow_hosts: Iterable[str] = (),
        limits: Limits | None = None,
        normalise: Callable[[str], str] = str,
        webhook_hosts: Iterable[str] = (),
        on_delivery: OnDelivery | None = None,
        latency: float | tuple[float, float] = 0.0,
        fail: float = 0.0,
        rate_limit: float | None = None,
        keep: str | os.PathLike[str] | None = None,
    ) -> None:
        self._hosts = allowed_hosts(checked_host(host), allow_hosts)
        self.token: str = default_token(host) if token is None else checked_token(token)
        super().__init__(
            checked_numbers(phone_numbers),
            checked_users(user_emails),
            clock,
            Limits() if limits is None else limits,
            webhook_hosts,
            on_delivery,
            None if keep is None else Path(keep),
        )
        self._state.normalise = normalise
        self._host = host
        self._port = port
        self._on_request = on_request
        self._runner: web.AppRunner | None = None
        self.deliver_after = deliver_after
        self.imessage_interval = imessage_interval
        self._meter.set(Conditions(latency=latency, fail=fail, rate_limit=rate_limit))

    async def start(self) -> None:
        """Start listening. What an earlier run stored is kept, but uploaded files only with `keep`.

        Raises:
            KeepError: If the file `keep` cannot be used; it is left as it was.
            OSError: If the address cannot be used.
        """
        if self._runner is not None:
            raise RuntimeError("the sandbox is already running")
        guard = Guard(self.token, self._hosts)
        context = AppContext(
            self._state,
            self.requests,
            self.faults,
            guard,
            self._on_request,
            self._delivery_status_timer,
            self,
            self._meter,
            self._keeper,
        )
        runner = web.AppRunner(
            make_app(context),
            logger=http_logger,
            access_log=None,
            auto_decompress=False,  # encoded bodies are refused, and never unpacked
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGERING_SECONDS,
            shutdown_timeout=0.01,  # a zero would mean to wait without end
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
            host = f"[{self._host}]" if ":" in self._host else self._host
            if self._host in {"", "0.0.0.0", "::"}:  # noqa: S104  # a server on all addresses is reached at one of them
                host = "127.0.0.1"
            self._state.base_url = f"http://{host}:{runner.addresses[0][1]}"
            self._keeper.start()
        except BaseException:
            self._state.base_url = ""
            await runner.cleanup()
            raise
        self._runner = runner
        self._delivery_status_timer.start()
        self._outbox.start()
        self._recipients.start()

    async def close(self) -> None:
        """Stop at once, abort requests in progress, and delete the uploaded files.

        Raises:
            KeepError: If what is left could not be written to the file `keep`.
        """
        runner, self._runner = self._runner, None
        self._state.base_url = ""
        self._delivery_status_timer.stop()
        self._recipients.stop()
        await self._outbox.close()
        if runner is not None:
            await runner.cleanup()
        try:
            self._keeper.close()
        finally:
            self._state.close_files()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Sandbox {self._state.base_url or 'not running'}, {len(self._state.messages)} messages>"


def default_token(host: str) -> str:
    """Return the well-known token, or a random one if other machines can reach the host."""
    name = host_name(bracketed(host))
    return DEFAULT_TOKEN if name is not None and is_loopback(name) else random_token()


def random_token() -> str:
    """Return a token that nobody can guess."""
    return f"sandbox-{secrets.token_hex(16)}"


def checked_host(host: str) -> str:
    """Return the host if it can be a name or an address."""
    if host and host_name(bracketed(host)) is None:
        raise ValueError(f"host must be a name or an address of this machine, not {host!r}")
    return host


def checked_token(token: str) -> str:
    """Return the token if a header can carry it."""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("token must be printable ASCII without spaces")
    return token


def checked_numbers(given: Iterable[str]) -> tuple[str, ...]:
    """Return the organisation's numbers in E.164."""
    if isinstance(given, str):
        raise ValueError("phone_numbers must be several strings, not one")
    found: list[str] = []
    for text in given:
        number = numbers.phone_number(text)
        if number is None:
            raise ValueError(f"{text!r} is not a phone number such as +12223334444")
        found.append(number)
    if not found:
        raise ValueError("phone_numbers must not be empty")
    return tuple(dict.fromkeys(found))


def checked_users(given: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses of the users, of whom there must be at least one."""
    found = tuple(numbers.email(text) or "" for text in given)
    if not found or not all(found):
        raise ValueError("user_emails must be email addresses, and must not be empty")
    return found
