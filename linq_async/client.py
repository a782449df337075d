"""The client: a transport with settings, and the resources of the API."""

from __future__ import annotations

import ssl as ssl_module
import warnings
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Never, Self, TypeVar, overload

import aiohttp
import attrs

from linq_async.arguments import Arguments, is_unverified
from linq_async.attempts import AttemptHook
from linq_async.calls import CallHook
from linq_async.config import KeySource, RetryPolicy, Settings, Timeouts
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
from linq_async.wire.response import plain_headers, request_id

T = TypeVar("T")


class LinqClient:
    """An async client of the Linq Partner API v2.

    Its resources are ``chats``, ``messages``, ``contacts``, ``phone_numbers``, ``webhook_subscriptions`` and
    ``imessage``; ``request`` sends anything else.

    Use it as ``async with LinqClient() as linq``, or keep one for the life of the program and ``await aclose()`` at
    the end. A client is bound to the event loop of its first call until that loop is closed.
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
        on_call: CallHook | None = None,
        show_details: bool = False,
        timing: Timing = Timing(),  # noqa: B008
    ) -> None:
        """Check the settings, without using an event loop or the network.

        Args:
            token: The integration token. Default: LINQ_INTEGRATION_TOKEN from the environment.
            base_url: The URL of the API. Default: LINQ_BASE_URL, or https://api.linqapp.com.
            retry: How often and for how long a call is retried.
            timeouts: The time limits of one attempt.
            max_connections: The limit of connections, and so of calls under way.
            max_response_bytes: The size limit of an answer, after decompression.
            headers: Headers of every request. Those that the client sets itself are refused.
            proxy: The URL of a proxy. Default: the usual environment variables.
            ssl: A context in place of the default one. If it does not verify the server, a RuntimeWarning is issued.
            session: A session of your own, which is never closed. Its connector, cookies, ``auth``, default headers,
                trace functions and, with ``trust_env``, the proxies and the netrc of the environment are used; its TLS
                settings, time limits, middlewares and base URL are not. Over http it must not have a proxy.
            allow_http: Whether the token may be sent over http to another machine.
            on_attempt: A plain function that is called with an ``Attempt`` before each attempt is sent and after it
                has ended.
            on_call: A function that returns a context manager for each call, given its ``CallInfo``. The call runs in
                it, so that it sees how the call ends, and what it yields is called with the attempts of this call:
                a function like ``on_attempt``, or None.
            show_details: Whether the message of an APIError contains the detail that the server gives. It may contain
                phone numbers and texts: use it for development, not for logs.
            timing: The clock, the sleep and the random numbers; for tests.

        Raises:
            InvalidArgumentError: If arguments have a wrong type or are out of range. It lists all of them.
            ConfigurationError: If the client cannot be used with this configuration, such as without a token.
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
            on_call=on_call,
            show_details=show_details,
            timing=timing,
        )
        # For tracebacks that show locals. Not deleted: cgitb fails if an argument is missing.
        token = base_url = headers = proxy = ssl = session = on_attempt = on_call = None
        settings = given.settings()
        if is_unverified(settings.ssl):
            message = "ssl= does not verify the server: anyone in between can read the token and every message"
            warnings.warn(message, RuntimeWarning, stacklevel=2)
        transport = Transport(settings, max_connections=given.max_connections, session=given.external_session())
        self._use(Pipeline(transport, settings), owns_transport=True)

    def _use(self, pipeline: Pipeline, *, owns_transport: bool) -> None:
        self._pipeline = pipeline
        self._owns_transport = owns_transport
        self.chats: Chats = Chats(pipeline)
        """Conversations."""
        self.messages: Messages = Messages(pipeline)
        """The messages of a chat, and the reactions to them."""
        self.contacts: Contacts = Contacts(pipeline)
        """The organization's address book."""
        self.phone_numbers: PhoneNumbers = PhoneNumbers(pipeline)
        """The organization's own numbers."""
        self.webhook_subscriptions: WebhookSubscriptions = WebhookSubscriptions(pipeline)
        """The endpoints that receive your events."""
        self.imessage: IMessage = IMessage(pipeline)
        """Who can be reached by iMessage."""

    def __repr__(self) -> str:
        pipeline: Pipeline | None = getattr(self, "_pipeline", None)
        if pipeline is None:  # a traceback with locals may show it half built
            return "<LinqClient, not built>"
        state = "closed" if pipeline.transport.closed else "open"
        return f"<LinqClient {pipeline.settings.base_url}, {state}>"

    def __reduce_ex__(self, protocol: object) -> Never:
        """Raise TypeError: a pickle or a copy would contain the token."""
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
        on_call: CallHook | None = None,
        show_details: bool | None = None,
    ) -> Self:
        """Return a client with other settings on the same connections. Settings that are not given stay as they are.

        ``headers`` are added to those of this client. Closing the new client does not close the connections. A subclass
        keeps the attributes that its ``__init__`` has set.

        Raises:
            InvalidArgumentError: If arguments have a wrong type or are out of range.
            ConfigurationError: If the client cannot be used with this configuration.
        """
        old = self._pipeline.settings
        given = Arguments(
            token=token,
            retry=old.retry if retry is None else retry,
            timeouts=old.timeouts if timeouts is None else timeouts,
            headers=headers,
            on_attempt=old.on_attempt if on_attempt is None else on_attempt,
            on_call=old.on_call if on_call is None else on_call,
            show_details=old.show_details if show_details is None else show_details,
        )
        token = retry = timeouts = headers = on_attempt = on_call = None  # as in the constructor
        return self._derive(given.settings_over(old))

    def _derive(self, settings: Settings) -> Self:
        derived = object.__new__(type(self))
        derived.__dict__.update(self.__dict__)  # what the __init__ of a subclass has set
        derived._use(self._pipeline.with_settings(settings), owns_transport=False)
        return derived

    def _with_key_source(self, key_source: KeySource) -> Self:
        """Return a client on the same connections that derives the keys of messages which are sent without one."""
        return self._derive(attrs.evolve(self._pipeline.settings, key_source=key_source))

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

    # A plain function, as Chats.create is: its arguments must not be in the frames of a traceback.
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
        """Send any request, with the same keys, retries and errors as every other call.

        Args:
            method: The HTTP method.
            path: The path, with its leading slash: ``/api/partner/v2/chats/45``.
            json: The JSON body.
            params: The query. A list repeats its name, and None is left out.
            returns: A class to decode the whole JSON body into.
            idempotency_key: The key, which is put into ``json["message"]``, where v2 reads it. Without a key there, a
                POST or PATCH is retried only if nothing was sent.

        Raises:
            InvalidArgumentError: If an argument is wrong. Nothing was sent.
            LinqError: For any other failure.
        """
        call = RawCall(method, path, json, params, idempotency_key)
        return self._pipeline.observed("request", method, None, self._request, call, returns)

    async def _request(self, call: RawCall, returns: type[Any] | None) -> Response[Any]:
        problem = None if returns is None else returns_problem(returns)
        problems = [] if problem is None else [Problem("returns", problem)]
        request = call.request(problems, self._pipeline.settings.key_source)
        answer = await self._pipeline.send(request)
        data = answer.any_json() if returns is None else answer.decode(None, returns)
        return Response(
            status=answer.raw.status,
            headers=plain_headers(answer.raw.headers),
            request_id=request_id(answer.raw.headers),
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
