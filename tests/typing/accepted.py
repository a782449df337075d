"""The types of the public names: every method of a client, its result, and the attributes of errors.

Read by mypy and pyright together with the other tests, and never run.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Generator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, assert_never, assert_type

from aiohttp import web
from fastapi import FastAPI

from linq_async import (
    UNSET,
    APIError,
    Attachment,
    Attempt,
    Availability,
    CallInfo,
    Chat,
    ChatHandle,
    ConnectError,
    Contact,
    ContactFields,
    ContactOwner,
    CreatedChat,
    CreatedChatMessage,
    DecodeError,
    DeliveryStatus,
    DeliveryTimeoutError,
    EditedMessage,
    ErrorDetail,
    InvalidArgumentError,
    KeyReusedError,
    LinqClient,
    LinqError,
    Message,
    NewChat,
    NewMessage,
    Outcome,
    Page,
    Pager,
    PhoneNumber,
    Problem,
    RateLimitError,
    Reaction,
    ReactionType,
    RequestTimeoutError,
    Response,
    RetryPolicy,
    SentMessage,
    Service,
    Timeouts,
    UnsetType,
    Upload,
    UploadError,
    WebhookEventType,
    WebhookSubscription,
    WebhookVerificationError,
    __version__,
    new_idempotency_key,
    to_dict,
)
from linq_async.attempts import AttemptHook
from linq_async.integrations.aiohttp import LINQ, add_webhooks, linq_ctx
from linq_async.integrations.asgi import WebhookApp
from linq_async.integrations.fastapi import add_problem_handlers, linq_lifespan, webhook_router
from linq_async.integrations.opentelemetry import telemetry
from linq_async.integrations.problems import problem_of
from linq_async.webhooks import (
    Accepted,
    Answer,
    CallCompleted,
    ChatCreated,
    ContactCreated,
    ContactDeleted,
    ContactUpdated,
    Context,
    Dispatcher,
    Event,
    EventAttachment,
    EventChatHandle,
    Inbox,
    MemoryInbox,
    MessageData,
    MessageRead,
    MessageReceived,
    MessageSent,
    ParticipantAdded,
    ParticipantRemoved,
    ReactionData,
    ReactionReceived,
    ReactionSent,
    Receiver,
    Skip,
    SqliteInbox,
    TypingIndicatorReceived,
    TypingIndicatorRemoved,
    UnknownEvent,
    WebhookEvent,
    event_key,
    explain,
    parse,
    sign,
    unwrap,
)


class Own(LinqClient):
    """A subclass of the client."""


async def client(context: ssl.SSLContext) -> None:
    """Every option of the constructor and of ``with_options``."""

    def hook(attempt: Attempt) -> None:
        assert_type(attempt.outcome, Outcome | None)
        assert_type(attempt.finished, bool)

    @contextmanager
    def around(call: CallInfo) -> Generator[AttemptHook]:
        assert_type(call.route, str | None)
        yield hook

    async with LinqClient(
        "token",
        base_url="https://api.linqapp.com",
        retry=RetryPolicy(max_attempts=2, initial_delay=1, max_delay=8.0, max_elapsed=60),
        timeouts=Timeouts(connect=5, write=None, read=60.0, total=90),
        max_connections=10,
        max_response_bytes=1 << 20,
        headers={"X-Team": "support"},
        proxy="http://127.0.0.1:8080",
        ssl=context,
        session=None,
        allow_http=False,
        on_attempt=hook,
        on_call=around,
        show_details=False,
    ) as linq:
        assert_type(linq, LinqClient)
        assert_type(linq.with_options(), LinqClient)
        derived = linq.with_options(
            token="other",
            retry=RetryPolicy.none(),
            timeouts=Timeouts(),
            headers={},
            on_attempt=hook,
            on_call=telemetry(),
            show_details=True,
        )
        assert_type(await derived.aclose(), None)
    async with Own() as own:
        assert_type(own, Own)
        assert_type(own.with_options(token="other"), Own)
    assert_type(new_idempotency_key() + __version__, str)


async def chats(linq: LinqClient, path: Path, file: BytesIO, upload: Upload) -> None:
    """``linq.chats``."""
    created = await linq.chats.create(
        send_from="+15175269229",
        phone_numbers=("+13343284472",),
        text="Hello!",
        display_name="Sample Chat",
        attachments=[path, file, upload],
        attachment_urls=["https://example.com/menu.pdf"],
        idempotency_key="order-1017",
    )
    assert_type(created, CreatedChat)
    assert_type(created.message, CreatedChatMessage)
    assert_type(created.chat_handles, list[ChatHandle])
    assert_type(created.replayed, bool | None)
    assert_type(created.missing_recipients, tuple[str, ...])
    assert_type(created.idempotency_key, str | None)
    assert_type(created.message.delivery_status, DeliveryStatus | str | None)
    assert_type(created.message.attachments, list[Attachment])
    new_chat = NewChat(send_from="+15175269229", phone_numbers=["+13343284472"], text="Hello!")
    assert_type(new_chat.problems(), list[Problem])
    assert_type(await linq.chats.send(new_chat), CreatedChat)
    assert_type(linq.chats.list(phone_number="+15175269229", page=2, per_page=50), Pager[Chat])
    assert_type(await linq.chats.get(45), Chat)
    assert_type(await linq.chats.find(phone_number="+15175269229", phone_numbers=["+13343284472"]), Chat | None)
    assert_type(await linq.chats.mark_as_read(45), None)
    assert_type(await linq.chats.start_typing(45), None)
    assert_type(await linq.chats.stop_typing(45), None)
    assert_type(await linq.chats.share_contact(45), None)
    async with linq.chats.typing(45) as nothing:
        assert_type(nothing, None)


async def messages(linq: LinqClient, path: Path, moment: datetime) -> None:
    """``linq.messages``."""
    sent = await linq.messages.send(45, "Hello!", attachments=[path], attachment_urls=(), idempotency_key="order-1017")
    assert_type(sent, SentMessage)
    assert_type(sent.replayed, bool)
    assert_type(await linq.messages.send(45, NewMessage(text="Hello!")), SentMessage)
    assert_type(linq.messages.list(45, before=moment, after=moment, sort="desc", page=1, per_page=10), Pager[Message])
    message = await linq.messages.get(45, 7)
    assert_type(message, Message)
    assert_type(message.delivered_at, datetime | None)
    assert_type(message.reactions, list[Reaction])
    assert_type(await linq.messages.edit(45, 7, "Hello again!"), EditedMessage)
    assert_type(await linq.messages.delete(45, 7), None)
    assert_type(await linq.messages.react(7, ReactionType.LOVE), Reaction)
    assert_type(await linq.messages.unreact(7, "love"), None)
    reaction = await linq.messages.get_reaction(9)
    assert_type(reaction, Reaction)
    assert_type(reaction.reaction, ReactionType | str | None)
    assert_type(await linq.messages.wait_until_delivered(45, 7, timeout=30), Message)


async def contacts(linq: LinqClient) -> None:
    """``linq.contacts``."""
    contact = await linq.contacts.create(first_name="Mira", email=None, company=UNSET, user_email="theo@example.org")
    assert_type(contact, Contact)
    assert_type(contact.contact_owner, ContactOwner | None)
    fields: ContactFields = {"first_name": "Mira", "phone_number": UNSET, "title": None}
    assert_type(linq.contacts.list(page=1, per_page=100), Pager[Contact])
    assert_type(await linq.contacts.get(3), Contact)
    assert_type(await linq.contacts.find(email="mira@example.org"), Contact | None)
    assert_type(await linq.contacts.find(phone_number="+13343284472"), Contact | None)
    assert_type(await linq.contacts.update(3, user_email="theo@example.org", **fields), Contact)
    assert_type(await linq.contacts.replace(3, last_name="Sand", location=None), Contact)
    assert_type(await linq.contacts.delete(3), None)
    assert_type(UNSET, UnsetType)
    assert_type(bool(UNSET), bool)


async def other_resources(linq: LinqClient) -> None:
    """``linq.phone_numbers``, ``linq.webhook_subscriptions`` and ``linq.imessage``."""
    assert_type(await linq.phone_numbers.list(), list[PhoneNumber])
    assert_type(await linq.phone_numbers.update(11, forwarding_number=""), PhoneNumber)
    url = "https://hooks.example.com/linq"
    events = [WebhookEventType.MESSAGE_SENT, "message.expired"]
    subscription = await linq.webhook_subscriptions.create(
        webhook_url=url, events=events, version=2, secret="s", active=True
    )
    assert_type(subscription, WebhookSubscription)
    assert_type(subscription.events, list[str])
    assert_type(await linq.webhook_subscriptions.list(), list[WebhookSubscription])
    assert_type(await linq.webhook_subscriptions.update(5, webhook_url=url, events=("a.b",)), WebhookSubscription)
    assert_type(await linq.webhook_subscriptions.delete(5), None)
    assert_type(await linq.webhook_subscriptions.ensure(webhook_url=url, events=["message.sent"]), WebhookSubscription)
    assert_type(await linq.imessage.check("+13343284472"), Availability)


async def pages(pager: Pager[Chat]) -> None:
    """A Pager is awaited for its first page, and iterated over for items or for pages."""
    page = await pager
    assert_type(page, Page[Chat])
    assert_type(page.items, list[Chat])
    assert_type(page.total_pages, int | None)
    assert_type([chat for chat in page], list[Chat])  # noqa: C416  # what iterating gives
    assert_type(len(page), int)
    async for chat in pager:
        assert_type(chat, Chat)
    async for further in pager.pages():
        assert_type(further, Page[Chat])
    iterator: AsyncIterator[Chat] = aiter(pager)
    assert_type(await anext(iterator), Chat)


async def requests(linq: LinqClient) -> None:
    """``linq.request``: its data has the type that ``returns`` names."""
    path = "/api/partner/v2/chats/45"
    plain = await linq.request("GET", path, params={"page": 1})
    assert_type(plain, Response[Any])
    typed = await linq.request("POST", path, {"message": {}}, returns=Chat, idempotency_key="order-1017")
    assert_type(typed, Response[Chat])
    assert_type(typed.data, Chat)
    assert_type((await linq.request("GET", path, returns=dict[str, int])).data, dict[str, int])
    assert_type(typed.status, int)
    assert_type(typed.headers, Mapping[str, str])
    assert_type(typed.body, bytes)
    assert_type(to_dict(typed.data), dict[str, Any])


async def errors(call: Awaitable[object]) -> None:
    """The attributes of each kind of error."""
    try:
        await call
    except InvalidArgumentError as error:
        assert_type(error.problems, tuple[Problem, ...])
    except UploadError as error:
        assert_type(error.index, int | None)
        assert_type(error.filename, str)
    except ConnectError as error:
        assert_type(
            error.reason,
            Literal["refused", "dns", "timeout", "tls", "certificate", "proxy", "proxy_denied", "lost"],
        )
    except RequestTimeoutError as error:
        assert_type(error.phase, Literal["write", "read", "total"])
        assert_type(error.seconds, float)
    except DecodeError as error:
        assert_type(error.paths, tuple[str, ...])
        assert_type(error.body, bytes)
    except WebhookVerificationError as error:
        assert_type(error.reason, Literal["missing", "repeated", "malformed", "mismatch", "expired"])
    except KeyReusedError as error:
        assert_type(error.outcome, Outcome)
    except DeliveryTimeoutError as error:
        assert_type((error.chat_id, error.message_id), tuple[int, int])
        assert_type(error.delivery_status, str | None)
    except RateLimitError as error:
        assert_type(error.retry_after, float | None)
    except APIError as error:
        assert_type(error.status, int)
        assert_type(error.errors, tuple[ErrorDetail, ...])
        assert_type(error.headers, dict[str, str])
        assert_type(error.hint, str | None)
    except LinqError as error:
        assert_type(error.outcome, Outcome)
        assert_type(error.idempotency_key, str | None)
        assert_type(error.attempts, int)
        assert_type(error.request_id, str | None)


def uploads(path: Path, file: BytesIO) -> None:
    """Every way to make an Upload."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"data"

    assert_type(Upload.from_bytes(b"data", filename="a.png", content_type="image/png"), Upload)
    assert_type(Upload.from_path(path), Upload)
    assert_type(Upload.from_file(file, filename="a.png"), Upload)
    assert_type(Upload.from_chunks(chunks, filename="a.png", size=4), Upload)
    assert_type(Upload.from_chunks(chunks(), filename="a.png"), Upload)


async def context(ctx: Context[dict[str, int]], linq: LinqClient, event: MessageReceived, file: Path) -> None:
    """What a handler is given, and how a test makes it."""
    assert_type(Context(event, linq, state=5), Context[int])
    assert_type(ctx.state, dict[str, int])
    assert_type(ctx.event, WebhookEvent)
    assert_type(ctx.linq, LinqClient)
    assert_type((ctx.attempt, ctx.waiting), tuple[int, int])
    assert_type(ctx.take_waiting(MessageReceived), list[MessageReceived])
    assert_type(await ctx.reply("Hi", attachments=[file], attachment_urls=["https://a.example"], step="a"), SentMessage)
    assert_type(await ctx.react("like"), Reaction)
    assert_type(await ctx.mark_as_read(), None)
    async with ctx.typing() as nothing:
        assert_type(nothing, None)


def label(service: Service | str | None) -> str:
    """A ``match`` on a service needs a default branch, and is complete with one."""
    match service:
        case Service.IMESSAGE | Service.RCS:
            return "rich"
        case Service.SMS:
            return "plain"
        case _:
            return "unknown"


def webhook_requests(body: bytes, headers: Mapping[str, str], pairs: list[tuple[bytes, bytes]]) -> None:
    """Requests are verified with headers of both kinds, and with one secret or several."""
    assert_type(unwrap(body, headers, "secret"), WebhookEvent)
    assert_type(unwrap(body.decode(), pairs, ["new", b"old"], max_age=timedelta(minutes=5)), WebhookEvent)
    assert_type(unwrap(body, headers), WebhookEvent)
    assert_type(parse(body), WebhookEvent)
    assert_type(sign(body, b"secret"), str)
    assert_type(explain(body, headers), str)


def envelope(event: Event) -> None:
    """Every event has the members of the envelope."""
    assert_type(event_key(event), str)
    assert_type((event.event_id, event.event_type, event.created_at), tuple[str, str, datetime])
    assert_type(event.api_version, str | None)
    assert_type(event.chat_id, int | None)
    assert_type(event.data, object)
    assert_type((event.body, event.raw), tuple[bytes, dict[str, Any]])


def payload(event: WebhookEvent) -> None:
    """A ``match`` on the classes narrows the payload, and is complete without a default branch."""
    match event:
        case MessageReceived() | MessageSent():
            assert_type(event.data, MessageData)
            assert_type((event.data.id, event.data.chat_id, event.data.text), tuple[int, int, str | None])
            assert_type(event.data.service, Service | str | None)
            assert_type(event.data.chat_handles, list[EventChatHandle])
            assert_type(event.data.attachments, list[EventAttachment])
            assert_type((event.data.line, event.data.others), tuple[str | None, list[EventChatHandle]])
        case MessageRead():
            assert_type(event.data.read_at, datetime | None)
        case ReactionReceived() | ReactionSent():
            assert_type(event.data, ReactionData)
            assert_type(event.data.reaction, ReactionType | str | None)
        case TypingIndicatorReceived() | TypingIndicatorRemoved():
            assert_type((event.data.chat_id, event.data.display), tuple[int, bool | None])
        case CallCompleted():
            assert_type((event.data.from_, event.data.duration), tuple[str | None, int | None])
        case ContactCreated() | ContactUpdated():
            assert_type(event.data, Contact)
        case ContactDeleted():
            assert_type(event.data.id, int)
        case ChatCreated() | ParticipantAdded() | ParticipantRemoved() | UnknownEvent():
            assert_type(event.data, dict[str, Any])
        case _:
            assert_never(event)


def by_class_or_type(event: WebhookEvent) -> None:
    """``isinstance`` narrows, and so does the type of an event if its class is known to be one of a few."""
    if isinstance(event, MessageReceived | MessageRead):
        assert_type(event, MessageReceived | MessageRead)
        if event.event_type == "message.read":
            assert_type(event, MessageRead)


class Shop:
    """What the handlers of a bot share."""


def handlers(bot: Dispatcher[Shop], other: Dispatcher[Shop]) -> None:
    """Handlers of one class, of two and of three, of every event, and of errors."""

    @bot.on(MessageReceived, when=lambda message: message.data.text == "/start")
    async def start(message: MessageReceived, context: Context[Shop]) -> SentMessage:
        assert_type(context.state, Shop)
        assert_type(context.take_waiting(MessageReceived), list[MessageReceived])
        return await context.reply("Hello!")

    @bot.on(MessageReceived, MessageSent, when=lambda message: message.data.text is not None)
    async def either(message: MessageReceived | MessageSent, context: Context[Shop]) -> None:
        raise Skip

    @bot.on(ReactionReceived, ReactionSent, MessageRead)
    async def three(event: ReactionReceived | ReactionSent | MessageRead, context: Context[Shop]) -> None: ...

    @bot.on(MessageReceived)
    @bot.on(Event)
    async def every(event: Event, context: Context[Any]) -> None: ...

    @bot.on_error
    async def report(event: WebhookEvent, context: Context[Shop], error: Exception) -> None: ...

    bot.include(other)


async def bots(linq: LinqClient, event: WebhookEvent, path: Path) -> None:
    """The life of a dispatcher, with each inbox."""
    inboxes: list[Inbox] = [MemoryInbox(max_keys=5, keep=timedelta(hours=1)), SqliteInbox(path), SqliteInbox("bot.db")]
    bot = Dispatcher[Shop](inbox=inboxes[0], ack="handled", attempts=2)
    async with bot.running(linq, Shop()) as running:
        assert_type(running, Dispatcher[Shop])
        assert_type(await bot.accept(event), Accepted)
        assert_type(await bot.handle(event), None)
        assert_type(await bot.idle(), None)


async def integrations(bot: Dispatcher[None], stateful: Dispatcher[str], body: bytes, error: LinqError) -> None:
    """Adapters take a dispatcher without a state, or the ``accept`` of any other."""
    WebhookApp(bot, secret="secret")
    WebhookApp(stateful.accept, secret=["new", b"old"])
    app = FastAPI(lifespan=linq_lifespan())
    app.include_router(webhook_router(bot))
    add_problem_handlers(app)
    main = web.Application()
    main.cleanup_ctx.append(linq_ctx())
    add_webhooks(main, bot)
    assert_type(main[LINQ], LinqClient)
    answer = await Receiver(stateful.accept, "secret").receive("POST", [(b"X-Webhook-Signature", b"")], body)
    assert_type(answer, Answer)
    assert_type((answer.status, answer.headers, answer.body), tuple[int, dict[str, str], bytes])
    assert_type(problem_of(error), tuple[int, dict[str, Any]])
