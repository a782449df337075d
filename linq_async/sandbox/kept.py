"""What a file keeps of a sandbox, as records."""

from collections.abc import Mapping

import attrs

from .behaviour import FIXED, ORDINARY, Behaviour, checked_behaviour
from .records import Contact, PhoneNumber, SandboxChat, SandboxMessage, SandboxSubscription


@attrs.frozen(kw_only=True)
class KeptBehaviour:
    """What is set for a number."""

    phone_number: str
    delivery: float | str | None
    service: str | None

    def behaviour(self) -> Behaviour:
        """Return how the number behaves."""
        return checked_behaviour(FIXED.get(self.phone_number, ORDINARY), self.delivery, self.service)


@attrs.frozen(kw_only=True)
class KeptSettings:
    """What is kept besides records."""

    next_ids: dict[str, int]
    advanced: float
    """Seconds by which the clock was advanced."""


Record = SandboxChat | SandboxMessage | Contact | PhoneNumber | SandboxSubscription | KeptBehaviour | KeptSettings


@attrs.frozen
class Kept:
    """Everything that a file keeps."""

    chats: list[SandboxChat] = attrs.field(factory=list[SandboxChat])
    messages: list[SandboxMessage] = attrs.field(factory=list[SandboxMessage])
    contacts: list[Contact] = attrs.field(factory=list[Contact])
    phone_numbers: list[PhoneNumber] = attrs.field(factory=list[PhoneNumber])
    subscriptions: list[SandboxSubscription] = attrs.field(factory=list[SandboxSubscription])
    behaviours: list[KeptBehaviour] = attrs.field(factory=list[KeptBehaviour])
    settings: list[KeptSettings] = attrs.field(factory=list[KeptSettings])

    def next_ids(self, first: Mapping[str, int]) -> dict[str, int]:
        """Return the next id of each kind: as it was kept, and above all that are in use."""
        used = {
            "chat": [one.id for one in self.chats],
            "message": [one.id for one in self.messages],
            "handle": [one.id for chat in self.chats for one in chat.handles]
            + [one.line_handle_id for one in self.chats],
            "reaction": [one.id for message in self.messages for one in message.reactions.values()],
            "contact": [one.id for one in self.contacts],
            "subscription": [one.id for one in self.subscriptions],
        }
        kept = self.settings[0].next_ids if self.settings else {}
        return {kind: max(id_, kept.get(kind, 0), *(one + 1 for one in used[kind])) for kind, id_ in first.items()}
