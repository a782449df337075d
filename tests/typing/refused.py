"""Mistakes that type checkers report, each on its line and under its rule. Never run."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from linq_async import (
    LinqClient,
    NewChat,
    NewMessage,
    Outcome,
    RetryPolicy,
    Service,
    Timeouts,
    Upload,
)
from linq_async.integrations.asgi import WebhookApp
from linq_async.integrations.fastapi import webhook_router
from linq_async.webhooks import (
    ChatCreated,
    Dispatcher,
    Event,
    MessageRead,
    MessageReceived,
    WebhookEvent,
    parse,
    sign,
    unwrap,
)
from linq_async.webhooks import unwarp  # refused: attr-defined, reportAttributeAccessIssue
from linq_async import LinqClinet  # refused: attr-defined, reportAttributeAccessIssue
from linq_async.webhooks import Context


async def misspelled(linq: LinqClient) -> None:
    """Names that do not exist."""
    linq.chat  # refused: attr-defined, reportAttributeAccessIssue
    await linq.chats.creat()  # refused: attr-defined, reportAttributeAccessIssue
    LinqClient(tokn="token")  # refused: call-arg, reportCallIssue
    Outcome.LOST  # refused: attr-defined, reportAttributeAccessIssue


async def wrong_types(linq: LinqClient, path: Path) -> None:
    """Arguments of a wrong type."""
    LinqClient(b"token")  # refused: arg-type, reportArgumentType
    LinqClient(retry=3)  # refused: arg-type, reportArgumentType
    Timeouts(read="60")  # refused: arg-type, reportArgumentType
    RetryPolicy(max_attempts=2.5)  # refused: arg-type, reportArgumentType
    await linq.chats.get("45")  # refused: arg-type, reportArgumentType
    await linq.chats.send(NewMessage(text="Hello!"))  # refused: arg-type, reportArgumentType
    await linq.messages.send(45, None)  # refused: arg-type, reportArgumentType
    await linq.messages.send(45, "Hello!", attachments=["a.png"])  # refused: list-item, reportArgumentType
    linq.messages.list(45, sort="newest")  # refused: arg-type, reportArgumentType
    await linq.contacts.create(first_name=5)  # refused: arg-type, reportArgumentType
    await linq.contacts.create(nickname="Mira")  # refused: call-arg, reportCallIssue
    await linq.webhook_subscriptions.create(webhook_url="u", events=[1])  # refused: list-item, reportArgumentType
    Upload.from_path("a.png")  # refused: arg-type, reportArgumentType


async def missing(linq: LinqClient) -> None:
    """Arguments that are required, or that must be named."""
    await linq.chats.create(send_from="+1", phone_numbers=["+2"])  # refused: call-arg, reportCallIssue
    await linq.chats.find(phone_number="+1")  # refused: call-arg, reportCallIssue
    await linq.messages.send(45)  # refused: call-arg, reportCallIssue
    await linq.phone_numbers.update(11, "+1")  # refused: call-arg, reportCallIssue
    await linq.webhook_subscriptions.create(webhook_url="u")  # refused: call-arg, reportCallIssue
    linq.chats.list("+1")  # refused: call-arg, reportCallIssue
    NewChat(text="Hello!")  # refused: call-arg, reportCallIssue
    Upload.from_bytes(b"data")  # refused: call-arg, reportCallIssue


async def context(ctx: Context[None]) -> None:
    """Mistakes in a handler."""
    ctx.reply("Hi")  # refused: unused-coroutine, reportUnusedCoroutine
    await ctx.reply()  # refused: call-arg, reportCallIssue
    await ctx.reply("Hi", step=1)  # refused: arg-type, reportArgumentType
    ctx.take_waiting(str)  # refused: type-var, reportArgumentType


async def misused(linq: LinqClient) -> None:
    """Results that are not what they are taken for."""
    chat = await linq.chats.find(phone_number="+1", phone_numbers=["+2"])
    print(chat.id)  # refused: union-attr, reportOptionalMemberAccess
    linq.chats.get(45).id  # refused: attr-defined, reportAttributeAccessIssue
    linq.chats.mark_as_read(45)  # refused: unused-coroutine, reportUnusedCoroutine
    for item in linq.contacts.list():  # refused: attr-defined, reportGeneralTypeIssues
        print(item)
    response = await linq.request("GET", "/x", returns=Service)
    response.data.name_of_nothing  # refused: attr-defined, reportAttributeAccessIssue


def label(service: Service | str | None) -> str:  # refused: return, reportReturnType
    """Match every service without a default branch, though the server may send another one."""
    match service:
        case Service.IMESSAGE:
            return "blue"
        case Service.RCS | Service.SMS:
            return "green"
        case None:
            return "unknown"


def webhooks(event: WebhookEvent, received: MessageReceived, body: bytes) -> None:
    """Pass what is not raw, and take events for others."""
    unwrap({"event_type": "message.received"}, {}, "secret")  # refused: arg-type, reportArgumentType
    unwrap(body, {}, 5)  # refused: arg-type, reportArgumentType
    unwrap(body, {}, "secret", max_age=60)  # refused: arg-type, reportArgumentType
    unwrap(body)  # refused: call-arg, reportCallIssue
    sign(body, None)  # refused: arg-type, reportArgumentType
    event.data.text  # refused: union-attr, reportAttributeAccessIssue
    received.data.txet  # refused: attr-defined, reportAttributeAccessIssue
    received.data = parse(body).data  # refused: misc assignment, reportAttributeAccessIssue
    chat_of(received)  # refused: arg-type, reportArgumentType


def chat_of(event: ChatCreated | MessageRead) -> int:
    """Forget a class of a ``match``."""
    match event:
        case MessageRead():
            return event.data.chat_id
        case _:
            assert_never(event)  # refused: arg-type, reportArgumentType


def answer(event: Event) -> None:
    """Read a payload whose class is not known."""
    print(event.data.text)  # refused: attr-defined, reportAttributeAccessIssue


async def to_received(message: MessageReceived, context: Context[None]) -> None:
    """Handle one class only."""


async def to_chat(event: ChatCreated | MessageRead, context: Context[str]) -> None:
    """Handle two classes, with a state."""


def plain(message: MessageReceived, context: Context[None]) -> None:
    """Forget that handlers are coroutine functions."""


async def handlers(bot: Dispatcher[None], linq: LinqClient, other: Dispatcher[str]) -> None:
    """Register handlers for what they cannot handle."""
    bot.on(MessageRead)(to_received)  # refused: arg-type, reportArgumentType
    bot.on(Event)(to_received)  # refused: arg-type, reportArgumentType
    bot.on(MessageReceived, MessageRead)(to_received)  # refused: arg-type, reportArgumentType
    bot.on(ChatCreated, MessageRead)(to_chat)  # refused: arg-type, reportArgumentType
    bot.on(MessageReceived)(plain)  # refused: arg-type, reportArgumentType
    bot.on_error(to_received)  # refused: arg-type, reportArgumentType
    bot.include(other)  # refused: arg-type, reportArgumentType
    Dispatcher[None](inbox="bot.db")  # refused: arg-type, reportArgumentType
    async with bot.running(linq, "state"):  # refused: arg-type, reportArgumentType
        pass


async def take_one(event: MessageReceived) -> None:
    """Take events of one class only."""


def integrations(stateful: Dispatcher[str]) -> None:
    """Pass a dispatcher whose handlers would not get their state, and a function that cannot take every event."""
    WebhookApp(stateful)  # refused: arg-type, reportArgumentType
    webhook_router(stateful)  # refused: arg-type, reportArgumentType
    WebhookApp(take_one)  # refused: arg-type, reportArgumentType
    WebhookApp(print)  # refused: arg-type, reportArgumentType
