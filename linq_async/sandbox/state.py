"""What a sandbox stores, without HTTP.

Every change goes through a method of `State`, which publishes it.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import attrs

from .behaviour import FIXED, ORDINARY, Behaviour
from .changes import Changes, publish_nothing
from .delivery_status import DeliveryStatus
from .events import (
    BehaviourChanged,
    ContactCardShared,
    ContactCreated,
    ContactDeleted,
    ContactUpdated,
    DeliveryAttempted,
    Event,
    MessageDeleted,
    MessageEdited,
    MessageRead,
    PhoneNumberUpdated,
    ReactionAdded,
    ReactionRemoved,
    RecipientTypingChanged,
    SandboxReset,
    SubscriptionCreated,
    SubscriptionDeleted,
    SubscriptionUpdated,
    TypingChanged,
    chat_created,
    message_stored,
)
from .files import SandboxAttachment
from .kept import Kept
from .limits import Limits, Storage, cost
from .records import (
    Contact,
    Handle,
    PhoneNumber,
    SandboxChat,
    SandboxDelivery,
    SandboxMessage,
    SandboxReaction,
    SandboxSubscription,
    User,
)

ChatKey = tuple[str, frozenset[str]]
FIRST_IDS = {
    "chat": 8101,
    "message": 900001,
    "handle": 5501,
    "reaction": 301,
    "contact": 7001,
    "subscription": 640,
}


class State:
    """Everything that one sandbox stores."""

    def __init__(
        self,
        phone_numbers: Iterable[str],
        user_emails: Iterable[str],
        clock: Callable[[], datetime],
        imessage_interval: float,
        limits: Limits,
        changes: Changes,
    ) -> None:
        self.clock = clock
        self.imessage_interval = imessage_interval
        self.limits = limits
        self.changes = changes
        self.normalise: Callable[[str], str] = str
        self.on_change: Callable[[Event], object] = publish_nothing
        self.without_imessage: set[str] = set()
        self.behaviours: dict[str, Behaviour] = {}
        self.base_url = ""
        self.users: list[User] = [User(id=41 + n, email=email) for n, email in enumerate(user_emails, 1)]
        self.delivery_status: DeliveryStatus = DeliveryStatus(clock, changes, self._delivery_to)
        self._phone_numbers = tuple(phone_numbers)
        self._start_empty()

    def _start_empty(self) -> None:
        # A new one: requests in progress give their room back to the old one.
        self.storage: Storage = Storage(self.limits)
        self.attachments: dict[str, SandboxAttachment] = {}
        self.phone_numbers: dict[int, PhoneNumber] = {
            id_: PhoneNumber(id=id_, phone_number=number) for id_, number in enumerate(self._phone_numbers, 11)
        }
        self.chats: dict[int, SandboxChat] = {}
        self.messages: dict[int, SandboxMessage] = {}
        self.reactions: dict[int, SandboxReaction] = {}
        self.contacts: dict[int, Contact] = {}
        self.subscriptions: dict[int, SandboxSubscription] = {}
        self.imessage_checked_at: datetime | None = None
        self._chats_by_people: dict[ChatKey, SandboxChat] = {}
        self._messages_by_key: dict[str, SandboxMessage] = {}
        self.delivery_status.clear()
        self.next_ids: dict[str, int] = dict(FIRST_IDS)

    def clear(self) -> None:
        """Drop everything but the settings, and start all ids from the first one again."""
        self.close_files()
        self._start_empty()
        self.changes.forget()
        self.changes.publish(SandboxReset())

    def restore(self, kept: Kept) -> None:
        """Store what an earlier run stored, in an empty state. Its memory is reserved already."""
        self.chats = {chat.id: chat for chat in kept.chats}
        self.messages = {one.id: one for one in sorted(kept.messages, key=lambda one: one.id)}
        self.contacts = {one.id: one for one in kept.contacts}
        self.subscriptions = {one.id: one for one in kept.subscriptions}
        self.behaviours = {**{one.phone_number: one.behaviour() for one in kept.behaviours}, **self.behaviours}
        forwarding = {one.phone_number: one.forwarding_number for one in kept.phone_numbers}
        for id_, own in self.phone_numbers.items():
            self.phone_numbers[id_] = attrs.evolve(own, forwarding_number=forwarding.get(own.phone_number))
        for chat in self.chats.values():
            self._chats_by_people[chat.send_from, frozenset(chat.recipients)] = chat
        for message in self.messages.values():
            self.chats[message.chat_id].messages.append(message)
            self.attachments.update((one.id, one) for one in message.attachments)
            self.reactions.update((one.id, one) for one in message.reactions.values())
            if message.idempotency_key is not None:
                self._messages_by_key[message.idempotency_key] = message
            if self.delivery_status.delivered_at(message) is None:
                self.delivery_status.add(message)
        self.next_ids = kept.next_ids(FIRST_IDS)

    def close_files(self) -> None:
        """Delete every uploaded file."""
        for attachment in self.attachments.values():
            if attachment.file is not None:
                attachment.file.close()
        self.attachments = {}

    def replace_texts(self, old: Iterable[str | None], new: Iterable[str | None], things: int = 0) -> None:
        """Reserve memory for texts and a number of things, less what the old texts gave back.

        Raises:
            StorageFullError: If there is not enough; then nothing is reserved.
        """
        self.storage.memory.take(cost(new, things) - cost(old, 0))

    def next_id(self, kind: str) -> int:
        """Return a new id of a kind."""
        self.next_ids[kind] += 1
        return self.next_ids[kind] - 1

    def now(self) -> datetime:
        """Return the time in milliseconds, which is what responses show."""
        moment = self.clock()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def _publish(self, event: Event) -> None:
        self.changes.publish(event)
        self.on_change(event)

    def behaviour(self, number: str) -> Behaviour:
        """Return how a number behaves."""
        return self.behaviours.get(number) or FIXED.get(number, ORDINARY)

    def behave(self, number: str, behaviour: Behaviour) -> None:
        """Change how a number behaves, also for the messages that it already got."""
        self.delivery_status.change(lambda: self.behaviours.update({number: behaviour}), self.messages.values())
        self._publish(BehaviourChanged(phone_number=number, delivery=behaviour.delivery, service=behaviour.service))

    def _delivery_to(self, message: SandboxMessage) -> float | str | None:
        own = (self.behaviour(number).delivery for number in message.recipients)
        return next((delivery for delivery in own if delivery is not None), None)

    def has_phone_number(self, number: str) -> bool:
        """Return whether a number is one of the organisation's own."""
        return any(own.phone_number == number for own in self.phone_numbers.values())

    def set_forwarding_number(self, phone_number_id: int, forwarding_number: str | None) -> PhoneNumber:
        """Set or clear the forwarding number of a phone number."""
        changed = attrs.evolve(self.phone_numbers[phone_number_id], forwarding_number=forwarding_number)
        self.phone_numbers[phone_number_id] = changed
        self._publish(PhoneNumberUpdated(changed))
        return changed

    def record_imessage_check(self, moment: datetime) -> None:
        """Remember when an iMessage check was last allowed."""
        self.imessage_checked_at = moment

    def find_chat(self, send_from: str, recipients: Iterable[str]) -> SandboxChat | None:
        """Return the chat of a phone number with exactly these people, or None if there is none."""
        return self._chats_by_people.get((send_from, frozenset(recipients)))

    def add_chat(
        self, send_from: str, recipients: Iterable[str], display_name: str | None, *, from_me: bool = True
    ) -> SandboxChat:
        """Create a chat, which the organisation or a stranger begins."""
        people = tuple(dict.fromkeys(recipients))
        chat = SandboxChat(
            id=self.next_id("chat"),
            send_from=send_from,
            display_name=display_name or ", ".join(people),
            handles=tuple(Handle(id=self.next_id("handle"), phone_number=number) for number in people),
            line_handle_id=self.next_id("handle"),
            created_at=self.now(),
            from_me=from_me,
        )
        self.chats[chat.id] = chat
        self._chats_by_people[send_from, frozenset(people)] = chat
        self._publish(chat_created(chat))
        return chat

    def chats_with(self, number: str) -> Iterator[SandboxChat]:
        """Yield the chats in which a number takes part, on either side."""
        for chat in self.chats.values():
            if number == chat.send_from or number in chat.recipients:
                yield chat

    def set_typing(self, chat: SandboxChat, typing: bool) -> None:
        """Show or hide the typing indicator of a chat."""
        if chat.typing != typing:
            chat.typing = typing
            self._publish(TypingChanged(chat_id=chat.id, typing=typing))

    def set_recipient_typing(self, chat: SandboxChat, phone_number: str, typing: bool) -> None:
        """Note that a recipient began to type, or stopped."""
        if (phone_number in chat.typing_recipients) != typing:
            (chat.typing_recipients.add if typing else chat.typing_recipients.remove)(phone_number)
            self._publish(RecipientTypingChanged(chat_id=chat.id, phone_number=phone_number, typing=typing))

    def share_contact_card(self, chat: SandboxChat) -> None:
        """Count that the contact card was shared in a chat."""
        chat.contact_shared += 1
        self._publish(ContactCardShared(chat_id=chat.id, count=chat.contact_shared))

    def message_with_key(self, key: str | None) -> SandboxMessage | None:
        """Return the message that was stored under an idempotency key, or None if there is none."""
        return None if key is None else self._messages_by_key.get(key)

    def add_message(
        self,
        chat: SandboxChat,
        text: str,
        key: str | None,
        attachments: tuple[SandboxAttachment, ...],
        sender: str | None = None,
    ) -> SandboxMessage:
        """Store a message of the organisation or of a recipient, which also ends the typing indicator of its sender."""
        people = (chat.send_from, *chat.recipients)
        send_from = sender or chat.send_from
        message = SandboxMessage(
            id=self.next_id("message"),
            chat_id=chat.id,
            text=self.normalise(text),
            idempotency_key=key,
            send_from=send_from,
            recipients=tuple(number for number in people if number != send_from),
            from_me=sender is None,
            attachments=attachments,
            sent_at=self.now(),
        )
        self.messages[message.id] = message
        self.attachments.update((attachment.id, attachment) for attachment in attachments)
        if key is not None:
            self._messages_by_key[key] = message
        chat.messages.append(message)
        self.delivery_status.add(message)
        self._publish(message_stored(message))
        if sender is None:
            self.set_typing(chat, typing=False)
        else:
            self.set_recipient_typing(chat, sender, typing=False)
        self.delivery_status.publish_due()
        return message

    def edit_message(self, message: SandboxMessage, text: str) -> None:
        """Replace the text of a message."""
        message.text, message.edited_at = text, self.now()
        self._publish(
            MessageEdited(message_id=message.id, chat_id=message.chat_id, text=text, edited_at=message.edited_at)
        )

    def mark_as_read(self, chat: SandboxChat, *, from_me: bool | None = None) -> None:
        """Mark the messages of a chat as read: all, those that were sent, or those that were received."""
        for message in chat.messages:
            if not message.is_read and from_me in (None, message.from_me):
                message.is_read = True
                self._publish(MessageRead(message_id=message.id, chat_id=chat.id))

    def delete_message(self, message: SandboxMessage) -> None:
        """Hide a message."""
        message.deleted = True
        self._publish(MessageDeleted(message_id=message.id, chat_id=message.chat_id))

    def reaction_of(self, message: SandboxMessage, number: str | None = None) -> SandboxReaction | None:
        """Return the reaction of the organisation, or of a recipient, to a message."""
        return message.reactions.get(number or self.chats[message.chat_id].send_from)

    def add_reaction(self, message: SandboxMessage, kind: str, sender: str | None = None) -> SandboxReaction:
        """Replace the reaction of the organisation, or of a recipient; adding the same one again changes nothing."""
        earlier = self.reaction_of(message, sender)
        if earlier is not None and earlier.kind == kind:
            return earlier
        if earlier is not None:
            self.remove_reaction(message, earlier)
        reaction = SandboxReaction(
            id=self.next_id("reaction"),
            message_id=message.id,
            kind=kind,
            from_phone=sender or self.chats[message.chat_id].send_from,
            from_me=sender is None,
            sent_at=self.now(),
        )
        message.reactions[reaction.from_phone] = self.reactions[reaction.id] = reaction
        self._publish(ReactionAdded(reaction))
        return reaction

    def remove_reaction(self, message: SandboxMessage, reaction: SandboxReaction) -> None:
        """Remove a reaction from its message."""
        del self.reactions[reaction.id]
        del message.reactions[reaction.from_phone]
        self._publish(ReactionRemoved(reaction))

    def add_contact(self, fields: dict[str, str], owner: User) -> Contact:
        """Store a contact."""
        now = self.now()
        contact = Contact(id=self.next_id("contact"), fields=fields, owner=owner, created_at=now, updated_at=now)
        self.contacts[contact.id] = contact
        self._publish(ContactCreated(contact))
        return contact

    def update_contact(self, contact: Contact, fields: dict[str, str], owner: User) -> Contact:
        """Replace the fields and the owner of a contact."""
        changed = attrs.evolve(contact, fields=fields, owner=owner, updated_at=self.now())
        self.contacts[contact.id] = changed
        self._publish(ContactUpdated(changed))
        return changed

    def delete_contact(self, contact: Contact) -> None:
        """Delete a contact."""
        del self.contacts[contact.id]
        self._publish(ContactDeleted(contact))

    def add_subscription(
        self, webhook_url: str, events: tuple[str, ...], version: int, secret: str | None, *, active: bool
    ) -> SandboxSubscription:
        """Store a webhook subscription."""
        now = self.now()
        subscription = SandboxSubscription(
            id=self.next_id("subscription"),
            webhook_url=webhook_url,
            events=events,
            version=version,
            secret=secret,
            active=active,
            created_at=now,
            updated_at=now,
        )
        self.subscriptions[subscription.id] = subscription
        self._publish(SubscriptionCreated(subscription))
        return subscription

    def update_subscription(self, changed: SandboxSubscription) -> SandboxSubscription:
        """Replace a webhook subscription by a newer version of it."""
        changed = attrs.evolve(changed, updated_at=self.now())
        self.subscriptions[changed.id] = changed
        self._publish(SubscriptionUpdated(changed))
        return changed

    def delete_subscription(self, subscription: SandboxSubscription) -> None:
        """Delete a webhook subscription."""
        del self.subscriptions[subscription.id]
        self._publish(SubscriptionDeleted(subscription))

    def count_delivery(self, delivery: SandboxDelivery) -> None:
        """Count an attempt to deliver an event, if its subscription still exists."""
        subscription = self.subscriptions.get(delivery.subscription_id)
        if subscription is not None and delivery.attempt:
            self.subscriptions[subscription.id] = attrs.evolve(
                subscription,
                delivery_attempts=subscription.delivery_attempts + 1,
                last_delivered_at=delivery.ended_at if delivery.delivered else subscription.last_delivered_at,
            )
        self._publish(DeliveryAttempted(delivery))
