"""What the sandbox remembers, and nothing of HTTP."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import count

import attrs

from .files import SandboxAttachment
from .limits import Limits, Storage, cost


@attrs.define(kw_only=True)
class PhoneNumber:
    """One of the organisation's own numbers."""

    id: int
    phone_number: str
    forwarding_number: str | None = None


@attrs.define(kw_only=True)
class Reaction:
    """The line's reaction to a message."""

    id: int
    message_id: int
    kind: str
    from_phone: str
    sent_at: datetime


@attrs.define(kw_only=True)
class SandboxMessage:
    """A message that the sandbox accepted and stored."""

    id: int
    chat_id: int
    text: str
    idempotency_key: str | None
    send_from: str
    recipients: tuple[str, ...]
    attachments: tuple[SandboxAttachment, ...]
    sent_at: datetime
    edited_at: datetime | None = None
    is_read: bool = False
    deleted: bool = False
    reaction: Reaction | None = None


@attrs.define(kw_only=True)
class Handle:
    """A participant of a chat."""

    id: int
    phone_number: str


@attrs.define(kw_only=True)
class SandboxChat:
    """A chat between one line and a set of people."""

    id: int
    send_from: str
    display_name: str
    handles: tuple[Handle, ...]
    line_handle_id: int
    created_at: datetime
    typing: bool = False
    contact_shared: int = 0
    messages: list[SandboxMessage] = attrs.field(factory=list[SandboxMessage], repr=False)

    @property
    def recipients(self) -> tuple[str, ...]:
        """Numbers and addresses of the people in the chat."""
        return tuple(handle.phone_number for handle in self.handles)

    @property
    def visible_messages(self) -> list[SandboxMessage]:
        """Its messages but for the deleted ones."""
        return [message for message in self.messages if not message.deleted]


@attrs.define(kw_only=True)
class User:
    """Somebody of the organisation, who may own contacts."""

    id: int
    email: str


@attrs.define(kw_only=True)
class Contact:
    """An entry of the address book; `fields` holds only what was given."""

    id: int
    fields: dict[str, str]
    owner: User
    created_at: datetime
    updated_at: datetime


@attrs.define(kw_only=True)
class Subscription:
    """A registered webhook endpoint; nothing is delivered to it."""

    id: int
    webhook_url: str
    events: list[str]
    version: int
    secret: str | None = attrs.field(repr=False)
    active: bool
    created_at: datetime
    updated_at: datetime


ChatKey = tuple[str, frozenset[str]]


class State:
    """All that one sandbox holds; `clear()` empties it."""

    def __init__(
        self,
        phone_numbers: Iterable[str],
        user_emails: Iterable[str],
        clock: Callable[[], datetime],
        deliver_after: float | None,
        imessage_interval: float,
        limits: Limits,
    ) -> None:
        self.clock = clock
        self.deliver_after = deliver_after
        self.imessage_interval = imessage_interval
        self.limits = limits
        self.without_imessage: set[str] = set()
        self.normalise: Callable[[str], str] = str
        self.base_url = ""
        self._phone_numbers = tuple(phone_numbers)
        self.users = [User(id=41 + n, email=email) for n, email in enumerate(user_emails, 1)]
        self.messages: dict[int, SandboxMessage] = {}
        self.attachments: dict[str, SandboxAttachment] = {}
        self.clear()

    def clear(self) -> None:
        """Forget everything but the settings, and start all ids anew."""
        self.close_files()
        # A new one: what is under way gives its room back to the old one.
        self.storage = Storage(self.limits)
        self.lines = {id_: PhoneNumber(id=id_, phone_number=n) for id_, n in enumerate(self._phone_numbers, 11)}
        self.chats: dict[int, SandboxChat] = {}
        self.messages = {}
        self.reactions: dict[int, Reaction] = {}
        self.contacts: dict[int, Contact] = {}
        self.subscriptions: dict[int, Subscription] = {}
        self.imessage_checked_at: datetime | None = None
        self._chats_by_people: dict[ChatKey, SandboxChat] = {}
        self._messages_by_key: dict[str, SandboxMessage] = {}
        self._ids = {
            "chat": count(8101),
            "message": count(900001),
            "handle": count(5501),
            "reaction": count(301),
            "contact": count(7001),
            "subscription": count(640),
        }

    def close_files(self) -> None:
        """Delete every uploaded file."""
        for attachment in self.attachments.values():
            if attachment.file is not None:
                attachment.file.close()
        self.attachments = {}

    def replace_texts(self, old: Iterable[str | None], new: Iterable[str | None], things: int = 0) -> None:
        """Reserve memory for texts and a number of things, less what old texts gave back.

        Raises StorageFullError, and reserves nothing, if there is not enough.
        """
        self.storage.memory.take(cost(new, things) - cost(old, 0))

    def next_id(self, kind: str) -> int:
        """Give a fresh id of a kind."""
        return next(self._ids[kind])

    def now(self) -> datetime:
        """Give the time, to the millisecond, which is all that answers show."""
        moment = self.clock()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def has_line(self, number: str) -> bool:
        """Whether a number is one of the organisation's own."""
        return any(line.phone_number == number for line in self.lines.values())

    def find_chat(self, send_from: str, recipients: Iterable[str]) -> SandboxChat | None:
        """Give the chat of a line with exactly these people."""
        return self._chats_by_people.get((send_from, frozenset(recipients)))

    def add_chat(self, send_from: str, recipients: Iterable[str], display_name: str | None) -> SandboxChat:
        """Open a chat."""
        people = tuple(dict.fromkeys(recipients))
        chat = SandboxChat(
            id=self.next_id("chat"),
            send_from=send_from,
            display_name=display_name or ", ".join(people),
            handles=tuple(Handle(id=self.next_id("handle"), phone_number=number) for number in people),
            line_handle_id=self.next_id("handle"),
            created_at=self.now(),
        )
        self.chats[chat.id] = chat
        self._chats_by_people[send_from, frozenset(people)] = chat
        return chat

    def chats_with(self, number: str) -> Iterator[SandboxChat]:
        """Chats in which a number takes part, on either side."""
        for chat in self.chats.values():
            if number == chat.send_from or number in chat.recipients:
                yield chat

    def message_with_key(self, key: str | None) -> SandboxMessage | None:
        """Give the message stored under an idempotency key."""
        return None if key is None else self._messages_by_key.get(key)

    def add_message(
        self, chat: SandboxChat, text: str, key: str | None, attachments: tuple[SandboxAttachment, ...]
    ) -> SandboxMessage:
        """Store a message, which also ends the typing indicator."""
        message = SandboxMessage(
            id=self.next_id("message"),
            chat_id=chat.id,
            text=self.normalise(text),
            idempotency_key=key,
            send_from=chat.send_from,
            recipients=chat.recipients,
            attachments=attachments,
            sent_at=self.now(),
        )
        self.messages[message.id] = message
        self.attachments.update((attachment.id, attachment) for attachment in attachments)
        if key is not None:
            self._messages_by_key[key] = message
        chat.messages.append(message)
        chat.typing = False
        return message

    def delivered_at(self, message: SandboxMessage) -> datetime | None:
        """When a message was delivered, or None while it is pending."""
        if self.deliver_after is None:
            return None
        due = message.sent_at + timedelta(seconds=self.deliver_after)
        return due if due <= self.clock() else None
