"""What the sandbox delivers is what the package decodes, although neither knows the code of the other."""

from __future__ import annotations

import pytest

from linq_async import LinqClient
from linq_async.sandbox import Sandbox
from linq_async.webhooks import (
    ChatCreated,
    ContactCreated,
    ContactDeleted,
    ContactUpdated,
    MessageRead,
    MessageReceived,
    MessageSent,
    ReactionReceived,
    ReactionSent,
    TypingIndicatorReceived,
    TypingIndicatorRemoved,
    WebhookEvent,
    unwrap,
)
from tests.sandbox.calls import LINE, MIRA
from tests.sandbox.receivers import SECRET, receiving

EXPECTED = [
    ChatCreated,
    MessageSent,
    TypingIndicatorReceived,
    MessageReceived,
    TypingIndicatorRemoved,
    ReactionReceived,
    ReactionSent,
    MessageRead,
    MessageRead,
    ContactCreated,
    ContactUpdated,
    ContactDeleted,
]


@pytest.mark.asyncio
async def test_every_event_of_the_sandbox(linq: LinqClient, linq_sandbox: Sandbox) -> None:
    """Each event is verified and decoded into its class, with the ids and times that the API shows."""
    async with receiving() as receiver:
        await linq_sandbox.subscribe(receiver.url, secret=SECRET)
        chat = await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Hello")
        await linq_sandbox.typing(chat.id)
        reply = await linq_sandbox.reply(chat.id, "Hi", [("a.png", b"png")])
        reaction = await linq_sandbox.react(chat.message.id, "love")
        await linq.messages.react(reply.id, "like")
        await linq.chats.mark_as_read(chat.id)
        await linq_sandbox.delivered()
        contact = await linq.contacts.create(first_name="Mira")
        await linq.contacts.update(contact.id, company="Northlight", first_name="Mira")
        await linq.contacts.delete(contact.id)
        await linq_sandbox.delivered()
    events: list[WebhookEvent] = [unwrap(one.body, one.headers, SECRET) for one in receiver.received]
    assert [type(event) for event in events] == EXPECTED
    assert {event.chat_id for event in events[:9]} == {chat.id}
    received, reacted, created = events[3], events[5], events[9]
    assert isinstance(received, MessageReceived)
    assert (received.data.id, received.data.text, received.data.line) == (reply.id, "Hi", LINE)
    assert received.data.sent_at == reply.sent_at.replace(microsecond=0)
    assert [one.filename for one in received.data.attachments] == ["a.png"]
    assert isinstance(reacted, ReactionReceived)
    assert (reacted.data.id, reacted.data.chat_message_id) == (reaction.id, chat.message.id)
    assert isinstance(created, ContactCreated)
    assert created.data.id == contact.id
