"""The sandbox: settings, start, close."""

import logging
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

from aiohttp import web
from aiohttp.http import HttpProcessingError

from . import numbers, people
from .api.webhook_subscriptions import EVENTS, add_subscription, remove_subscription
from .app import make_app
from .changes import Changes
from .clock import SandboxClock
from .context import AppContext, OnRequest
from .delivery_status_timer import DeliveryStatusTimer
from .faults import Faults
from .guard import Guard, allowed_hosts, bracketed, host_name, is_loopback
from .limits import Limits
from .log import RequestLog
from .people import FileOrURL
from .rack.params import Params
from .records import SandboxChat, SandboxDelivery, SandboxMessage, SandboxReaction, SandboxSubscription
from .refusals import RefusalError
from .state import State
from .webhooks.log import Deliveries
from .webhooks.outbox import OnDelivery, Outbox

T = TypeVar("T")
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


class Sandbox:
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
    ) -> None:
        self._hosts = allowed_hosts(checked_host(host), allow_hosts)
        self.token: str = default_token(host) if token is None else checked_token(token)
        self.phone_numbers: tuple[str, ...] = checked_numbers(phone_numbers)
        self.limits: Limits = Limits() if limits is None else limits
        self.changes: Changes = Changes()
        self.faults: Faults = Faults(self.changes.publish)
        self.requests: RequestLog = RequestLog(self.limits.logged_requests, self.changes.publish)
        self._host = host
        self._port = port
        self._on_request = on_request
        self._runner: web.AppRunner | None = None
        users = checked_users(user_emails)
        self._clock = SandboxClock(clock)
        self._state = State(self.phone_numbers, users, self._clock, 0.0, self.limits, self.changes)
        self._state.normalise = normalise
        self._outbox = Outbox(self._state, self._clock, webhook_hosts, on_delivery)
        self._state.on_change = self._outbox.emit
        self.deliveries: Deliveries = self._outbox.deliveries
        self._delivery_status_timer = DeliveryStatusTimer(self._state.delivery_status)
        self.deliver_after = deliver_after
        self.imessage_interval = imessage_interval

    @property
    def deliver_after(self) -> float | None:
        """Seconds after which a message shows as delivered; None for never."""
        return self._state.delivery_status.after

    @deliver_after.setter
    def deliver_after(self, seconds: float | None) -> None:
        after = None if seconds is None else checked_seconds("deliver_after", seconds)
        self._state.delivery_status.set_after(after, self._state.messages.values())
        self._delivery_status_timer.update()

    @property
    def imessage_interval(self) -> float:
        """Seconds that must lie between two iMessage checks."""
        return self._state.imessage_interval

    @imessage_interval.setter
    def imessage_interval(self, seconds: float) -> None:
        self._state.imessage_interval = checked_seconds("imessage_interval", seconds)

    @property
    def base_url(self) -> str:
        """The URL of the server, such as `http://127.0.0.1:40321`."""
        if not self._state.base_url:
            raise RuntimeError("the sandbox is not running: use `async with Sandbox()`")
        return self._state.base_url

    @property
    def messages(self) -> list[SandboxMessage]:
        """Every stored message in order, including deleted ones."""
        return list(self._state.messages.values())

    @property
    def chats(self) -> list[SandboxChat]:
        """Every chat, in order."""
        return list(self._state.chats.values())

    @property
    def without_imessage(self) -> set[str]:
        """Numbers without iMessage. Add to it to change checks and the service of chats."""
        return self._state.without_imessage

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock forward: messages become delivered, and failed deliveries are repeated.

        Raises:
            ValueError: If `seconds` is negative or too large.
        """
        self._clock.advance(checked_seconds("seconds", seconds))
        self._delivery_status_timer.update()

    async def subscribe(
        self, url: str, *, secret: str | None = None, events: Iterable[str] = tuple(sorted(EVENTS))
    ) -> SandboxSubscription:
        """Create a webhook subscription, by default to all events. Its `secret` is random if none is given.

        Raises:
            ValueError: If the URL or the events cannot be used.
        """
        given: Params = {"webhook_url": url, "events": [*events], "version": 2}
        given["secret"] = secrets.token_hex(16) if secret is None else secret
        try:
            return await self._act(lambda: add_subscription(self._state, given))
        except RefusalError as error:
            raise ValueError(error.detail) from None

    async def unsubscribe(self, subscription: SandboxSubscription) -> None:
        """Delete a webhook subscription, if it still exists. Its deliveries end after the attempt under way."""

        def delete() -> None:
            found = self._state.subscriptions.get(subscription.id)
            if found is not None:
                remove_subscription(self._state, found)

        await self._act(delete)

    async def receive(
        self, *, from_: str, to: str | None = None, text: str = "", attachments: Iterable[FileOrURL] = ()
    ) -> SandboxMessage:
        """Receive a message from anybody. It starts a chat, unless there is one with the number.

        `to` is one of the sandbox's own numbers, by default the first. An attachment is a URL, or the name and
        the content of a file. The message is stored, and its event delivered: this returns after the first attempt
        for each subscription, or at once if that has to wait, because deliveries are held or an earlier one failed.

        Raises:
            ValueError: If a number, the text or an attachment cannot be used.
        """
        return await self._act(lambda: people.receive(self._state, from_, to, text, attachments))

    async def reply(
        self, chat_id: int, text: str = "", attachments: Iterable[FileOrURL] = (), *, from_: str | None = None
    ) -> SandboxMessage:
        """Receive a message from a recipient of a chat, by default the first; see `receive`.

        Raises:
            LookupError: If there is no such chat.
            ValueError: If the text, an attachment or `from_` cannot be used.
        """
        return await self._act(lambda: people.reply(self._state, chat_id, text, attachments, from_))

    async def react(self, message_id: int, reaction: str, *, from_: str | None = None) -> SandboxReaction:
        """Receive a reaction to a message, such as `love`, from a recipient of its chat, by default the first.

        Raises:
            LookupError: If there is no such message.
            ValueError: If `reaction` or `from_` cannot be used.
        """
        return await self._act(lambda: people.react(self._state, message_id, reaction, from_))

    async def typing(self, chat_id: int, *, display: bool = True, from_: str | None = None) -> None:
        """Show, or without `display` hide, the typing indicator of a recipient of a chat, by default the first.

        Raises:
            LookupError: If there is no such chat.
            ValueError: If `from_` is not a recipient.
        """
        await self._act(lambda: people.show_typing(self._state, chat_id, display, from_))

    async def delivered(self) -> None:
        """Wait until every event is delivered or given up. What `deliveries` holds is not waited for."""
        await self._outbox.delivered()

    async def redeliver(self, delivery: SandboxDelivery) -> None:
        """Deliver the event of an earlier delivery again, with the same id and body; returns as `receive` does."""
        await self._act(lambda: self._outbox.deliver_again(delivery))

    async def _act(self, act: Callable[[], T]) -> T:
        """Do something, and wait for the first attempts to deliver its events."""
        if not self._state.base_url:
            raise RuntimeError("the sandbox is not running: use `async with Sandbox()`")
        return await self._outbox.attempt(act)

    async def start(self) -> None:
        """Start listening. What an earlier run stored is kept, except uploaded files."""
        if self._runner is not None:
            raise RuntimeError("the sandbox is already running")
        guard = Guard(self.token, self._hosts)
        context = AppContext(
            self._state, self.requests, self.faults, guard, self._on_request, self._delivery_status_timer
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
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self._delivery_status_timer.start()
        self._outbox.start()
        host = f"[{self._host}]" if ":" in self._host else self._host
        if self._host in {"", "0.0.0.0", "::"}:  # noqa: S104  # a server on all addresses is reached at one of them
            host = "127.0.0.1"
        self._state.base_url = f"http://{host}:{runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop at once, abort requests in progress, and delete the uploaded files."""
        runner, self._runner = self._runner, None
        self._state.base_url = ""
        self._delivery_status_timer.stop()
        await self._outbox.close()
        if runner is not None:
            await runner.cleanup()
        self._state.close_files()

    def reset(self) -> None:
        """Drop all messages, chats, contacts, requests, deliveries and faults; the server keeps running."""
        self._outbox.drop()
        self.deliveries.clear()
        self.requests.clear()
        self.faults.clear()
        self._state.clear()

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


def checked_seconds(name: str, seconds: float) -> float:
    """Return the seconds if they can be waited."""
    if not 0 <= seconds < 1e9:
        raise ValueError(f"{name} must be a number of seconds from 0 on, not {seconds!r}")
    return seconds
