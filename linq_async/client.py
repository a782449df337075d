"""The client: settings over a transport, with the resources hung on it."""

from __future__ import annotations

import ssl as ssl_module
import warnings
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Never, Self, TypeVar, overload

import aiohttp

from linq_async.arguments import Arguments, is_unverified
from linq_async.attempts import AttemptHook
from linq_async.config import RetryPolicy, Timeouts
from linq_async.errors import ClientStateError, Problem
from linq_async.models.response import Response
from linq_async.pipeline import Pipeline
from linq_async.resources.chats import Chats
from linq_async.resources.contacts import Contacts
from linq_async.resources.coroutines import returns_coroutine
from linq_async.resources.imessage import IMessage
from linq_async.resources.messages import Messages
from linq_async.resources.phone_numbers import PhoneNumbers
from linq_async.resources.raw import RawCall
from linq_async.resources.webhook_subscriptions import WebhookSubscriptions
from linq_async.timing import Timing
from linq_async.transport.session import Transport
from linq_async.wire.converter import returns_problem
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
        show_details: bool = False,
        timing: Timing = Timing(),  # noqa: B008
    ) -> None:
        """Check the settings; touch no loop and no network.

        ``token`` and ``base_url`` are taken from LINQ_INTEGRATION_TOKEN and LINQ_BASE_URL if they are not given, and
        ``proxy`` from the usual variables. ``ssl`` replaces the default context, which verifies the server; one that
        does not is warned of. ``on_attempt`` is a plain function: it is called with an ``Attempt`` before each attempt
        leaves and after it has ended. ``show_details`` puts the server's sentence into the message of an APIError,
        which may then hold phone numbers and texts: for development, not for logs.
        ``timing``, a ``linq_async.timing.Timing``, replaces the clock, the sleep and the random numbers in tests.

        A lent ``session`` is never closed. Its TLS settings, time limits, middlewares and base URL are not used; its
        connector, cookies, ``auth``, default headers, trace functions and, with ``trust_env``, the environment's
        proxies and netrc are. Over http it must have no proxy of its own.

        Raises InvalidArgumentError if an argument has a wrong type or a limit is out of range, with all of them at
        once, and ConfigurationError if the client cannot be used as it is configured.
        """
        given = Arguments(
            token=token,
            base_url=base_url,
            retry=retry,
            timeouts=timeouts,
            max_connections=max_connections,
            max_response_bytes=max_response_bytes,
            headers=headers,
            proxy=proxy,
            ssl=ssl,
            session=session,
            allow_http=allow_http,
            on_attempt=on_attempt,
            show_details=show_details,
            timing=timing,
        )
        # Rebound for tracebacks that show locals; not deleted, for cgitb stops at an argument that is gone.
        token = base_url = headers = proxy = ssl = session = on_attempt = None
        settings = given.settings()
        if is_unverified(settings.ssl):
            message = "ssl= does not verify the server: whoever stands in between can read the token and every message"
            warnings.warn(message, RuntimeWarning, stacklevel=2)
        transport = Transport(settings, max_connections=given.max_connections, session=given.lent())
        self._use(Pipeline(transport, settings), owns_transport=True)

    def _use(self, pipeline: Pipeline, *, owns_transport: bool) -> None:
        self._pipeline = pipeline
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
        self.imessage = IMessage(pipeline)
        """Who can be reached by iMessage."""

    def __repr__(self) -> str:
        pipeline: Pipeline | None = getattr(self, "_pipeline", None)
        if pipeline is None:  # a traceback with locals shows it while it is built
            return "<LinqClient, not built>"
        state = "closed" if pipeline.transport.closed else "open"
        return f"<LinqClient {pipeline.settings.base_url}, {state}>"

    def __reduce_ex__(self, protocol: object) -> Never:
        """Refuse to be pickled or copied: the token would go along, in clear."""
        raise TypeError(
            "a LinqClient holds its token and its connections, so it is neither pickled nor copied: "
            "build one where it is needed, or use with_options() for one with other settings"
        )

    def with_options(
        self,
        *,
        token: str | None = None,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        headers: Mapping[str, str] | None = None,
        on_attempt: AttemptHook | None = None,
        show_details: bool | None = None,
    ) -> Self:
        """Return a client with other settings on the same connections. What is not given stays as it is.

        ``headers`` are added to those that the client has. Closing the new client closes nothing. A subclass keeps the
        attributes that its ``__init__`` set. Raises what the
        constructor raises.
        """
        old = self._pipeline.settings
        given = Arguments(
            token=token,
            retry=old.retry if retry is None else retry,
            timeouts=old.timeouts if timeouts is None else timeouts,
            headers=headers,
            on_attempt=old.on_attempt if on_attempt is None else on_attempt,
            show_details=old.show_details if show_details is None else show_details,
        )
        token = retry = timeouts = headers = on_attempt = None  # as in the constructor
        settings = given.settings_over(old)
        derived = object.__new__(type(self))
        derived.__dict__.update(self.__dict__)  # what the __init__ of a subclass has set
        derived._use(self._pipeline.with_settings(settings), owns_transport=False)
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
    @returns_coroutine
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
        return self._request(RawCall(method, path, json, params, idempotency_key), returns)

    async def _request(self, call: RawCall, returns: type[Any] | None) -> Response[Any]:
        problem = None if returns is None else returns_problem(returns)
        request = call.request([] if problem is None else [Problem("returns", problem)])
        answer = await self._pipeline.send(request)
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
