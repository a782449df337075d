"""The client: settings over a transport, with the resources hung on it."""

from __future__ import annotations

import ssl as ssl_module
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import aiohttp
import attrs

from linq_async.config import (
    AttemptHook,
    RetryPolicy,
    Settings,
    Timeouts,
    check_headers,
    check_limits,
    merged_headers,
    read_base_url,
    read_proxy,
    read_token,
)
from linq_async.errors import ClientStateError
from linq_async.pipeline import Pipeline
from linq_async.resources.chats import Chats
from linq_async.resources.contacts import Contacts
from linq_async.resources.imessage import IMessage, check_lines
from linq_async.resources.messages import Messages
from linq_async.resources.pace import Lines
from linq_async.resources.phone_numbers import PhoneNumbers
from linq_async.resources.webhook_subscriptions import WebhookSubscriptions
from linq_async.transport.session import Transport
from linq_async.wire.request import PlainCall, Response
from linq_async.wire.response import plain_headers

T = TypeVar("T")


class LinqClient:
    """An async client of the Linq Partner API v2.

    Its resources are ``chats``, ``messages``, ``contacts``, ``phone_numbers``, ``webhook_subscriptions`` and
    ``imessage``; ``request`` reaches anything else.

    Use it as ``async with LinqClient() as linq``, or keep one for the life of the program and ``await aclose()`` at
    the end. It belongs to the loop of its first call; once that loop is closed, it may serve another.
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        base_url: str | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
        timeouts: Timeouts = Timeouts(),  # noqa: B008
        max_connections: int = 100,
        max_response_bytes: int = 8 << 20,
        headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        ssl: ssl_module.SSLContext | None = None,
        session: aiohttp.ClientSession | None = None,
        allow_http: bool = False,
        on_attempt: AttemptHook | None = None,
    ) -> None:
        """Check the settings; touch no loop and no network.

        ``token`` and ``base_url`` are taken from LINQ_INTEGRATION_TOKEN and LINQ_BASE_URL where they are not given,
        and ``proxy`` from the usual variables. A lent ``session`` is never closed; its own middlewares do not run.
        ``on_attempt`` is called with an ``Attempt`` before each attempt leaves and after it has ended. Raises
        ConfigurationError, and InvalidArgumentError for a limit that is no number.
        """
        check_limits(max_connections, max_response_bytes)
        url = read_base_url(base_url, allow_http=allow_http)
        settings = Settings(
            token=read_token(token),
            base_url=url,
            proxy=read_proxy(proxy, url),
            ssl=ssl,
            retry=retry,
            timeouts=timeouts,
            headers=check_headers(headers),
            on_attempt=on_attempt,
            max_response_bytes=max_response_bytes,
        )
        transport = Transport(settings, max_connections=max_connections, session=session)
        self._use(Pipeline(transport, settings), check_lines(), owns_transport=True)

    def _use(self, pipeline: Pipeline, lines: Lines, *, owns_transport: bool) -> None:
        self._pipeline = pipeline
        self._lines = lines
        self._owns_transport = owns_transport
        self.chats = Chats(pipeline)
        """Conversations."""
        self.messages = Messages(pipeline)
        """The messages of a chat, and the reactions to them."""
        self.contacts = Contacts(pipeline)
        """The organization's address book."""
        self.phone_numbers = PhoneNumbers(pipeline)
        """The organization's own numbers."""
        self.webhook_subscriptions = WebhookSubscriptions(pipeline)
        """Your endpoints that receive events."""
        self.imessage = IMessage(pipeline, lines)
        """Who can be reached by iMessage."""

    def __repr__(self) -> str:
        state = "closed" if self._pipeline.transport.closed else "open"
        return f"<LinqClient {self._pipeline.settings.base_url}, {state}>"

    def with_options(
        self,
        *,
        token: str | None = None,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        headers: Mapping[str, str] | None = None,
        on_attempt: AttemptHook | None = None,
    ) -> LinqClient:
        """Return a client with other settings on the same connections. What is not given stays as it is.

        ``headers`` are added to those that stand. Closing the new client closes nothing.
        """
        old = self._pipeline.settings
        settings = attrs.evolve(
            old,
            token=old.token if token is None else read_token(token),
            retry=retry or old.retry,
            timeouts=timeouts or old.timeouts,
            headers=merged_headers(old.headers, check_headers(headers)),
            on_attempt=on_attempt or old.on_attempt,
        )
        derived = object.__new__(type(self))
        derived._use(self._pipeline.with_settings(settings), self._lines, owns_transport=False)
        return derived

    @overload
    def request(
        self,
        method: str,
        path: str,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        returns: None = None,
        idempotency_key: str | None = None,
    ) -> Coroutine[Any, Any, Response[Any]]: ...

    @overload
    def request(
        self,
        method: str,
        path: str,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        returns: type[T],
        idempotency_key: str | None = None,
    ) -> Coroutine[Any, Any, Response[T]]: ...

    # Not async itself, for the same reason as Chats.create: its frame holds what must be in no traceback.
    def request(
        self,
        method: str,
        path: str,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        returns: type[Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Coroutine[Any, Any, Response[Any]]:
        """Send any request, through the same keys, retries and errors as every other call.

        ``path`` starts with a slash: ``/api/partner/v2/chats/45``. ``returns`` is a class that the whole JSON body is
        decoded into. ``idempotency_key`` is put into ``json["message"]``, where v2 reads it; without one there, a POST
        or PATCH is repeated only if nothing of it was sent. Raises what every call raises.
        """
        return self._request(PlainCall(method, path, json, params, idempotency_key), returns)

    async def _request(self, plain: PlainCall, returns: type[Any] | None) -> Response[Any]:
        answer = await self._pipeline.send(plain.request())
        data = answer.any_json() if returns is None else answer.decode(None, returns)
        return Response(
            status=answer.raw.status,
            headers=plain_headers(answer.raw.headers),
            request_id=answer.request_id,
            body=answer.raw.body,
            data=data,
            idempotency_key=answer.idempotency_key,
            attempts=answer.attempts,
        )

    async def aclose(self) -> None:
        """Close the connections; calls under way end with ClientStateError. A second call does nothing."""
        if self._owns_transport:
            await self._pipeline.transport.aclose()

    async def __aenter__(self) -> Self:
        if self._pipeline.transport.closed:
            raise ClientStateError("the client is closed: make a new one")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
