"""Receive events: verify, decode, and handle each of them once."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linq_async.errors import WebhookVerificationError as WebhookVerificationError
    from linq_async.webhooks.context import Context as Context
    from linq_async.webhooks.data import AssociatedMessage as AssociatedMessage
    from linq_async.webhooks.data import CallData as CallData
    from linq_async.webhooks.data import ContactDeletedData as ContactDeletedData
    from linq_async.webhooks.data import EventAttachment as EventAttachment
    from linq_async.webhooks.data import EventChatHandle as EventChatHandle
    from linq_async.webhooks.data import MessageData as MessageData
    from linq_async.webhooks.data import MessageReadData as MessageReadData
    from linq_async.webhooks.data import ReactionData as ReactionData
    from linq_async.webhooks.data import ReactionHandle as ReactionHandle
    from linq_async.webhooks.data import RecordingData as RecordingData
    from linq_async.webhooks.data import TypingIndicatorData as TypingIndicatorData
    from linq_async.webhooks.dispatcher import Dispatcher as Dispatcher
    from linq_async.webhooks.events import CallCompleted as CallCompleted
    from linq_async.webhooks.events import ChatCreated as ChatCreated
    from linq_async.webhooks.events import ContactCreated as ContactCreated
    from linq_async.webhooks.events import ContactDeleted as ContactDeleted
    from linq_async.webhooks.events import ContactUpdated as ContactUpdated
    from linq_async.webhooks.events import Event as Event
    from linq_async.webhooks.events import MessageRead as MessageRead
    from linq_async.webhooks.events import MessageReceived as MessageReceived
    from linq_async.webhooks.events import MessageSent as MessageSent
    from linq_async.webhooks.events import ParticipantAdded as ParticipantAdded
    from linq_async.webhooks.events import ParticipantRemoved as ParticipantRemoved
    from linq_async.webhooks.events import ReactionReceived as ReactionReceived
    from linq_async.webhooks.events import ReactionSent as ReactionSent
    from linq_async.webhooks.events import TypingIndicatorReceived as TypingIndicatorReceived
    from linq_async.webhooks.events import TypingIndicatorRemoved as TypingIndicatorRemoved
    from linq_async.webhooks.events import UnknownEvent as UnknownEvent
    from linq_async.webhooks.events import WebhookEvent as WebhookEvent
    from linq_async.webhooks.events import event_key as event_key
    from linq_async.webhooks.explanation import explain as explain
    from linq_async.webhooks.inbox import Accepted as Accepted
    from linq_async.webhooks.inbox import HandlerFailedError as HandlerFailedError
    from linq_async.webhooks.inbox import Inbox as Inbox
    from linq_async.webhooks.inbox import InboxError as InboxError
    from linq_async.webhooks.inbox import NotAcceptedError as NotAcceptedError
    from linq_async.webhooks.memory_inbox import MemoryInbox as MemoryInbox
    from linq_async.webhooks.parsing import parse as parse
    from linq_async.webhooks.parsing import unwrap as unwrap
    from linq_async.webhooks.receiver import Answer as Answer
    from linq_async.webhooks.receiver import Receiver as Receiver
    from linq_async.webhooks.routes import Skip as Skip
    from linq_async.webhooks.signature import sign as sign
    from linq_async.webhooks.sqlite_inbox import SqliteInbox as SqliteInbox
else:  # with __getattr__ in sight, a type checker would accept any name
    _NAMES = {
        "linq_async.errors": "WebhookVerificationError",
        "linq_async.webhooks.context": "Context",
        "linq_async.webhooks.data": (
            "AssociatedMessage CallData ContactDeletedData EventAttachment EventChatHandle MessageData MessageReadData "
            "ReactionData ReactionHandle RecordingData TypingIndicatorData"
        ),
        "linq_async.webhooks.dispatcher": "Dispatcher",
        "linq_async.webhooks.events": (
            "CallCompleted ChatCreated ContactCreated ContactDeleted ContactUpdated Event MessageRead MessageReceived "
            "MessageSent ParticipantAdded ParticipantRemoved ReactionReceived ReactionSent TypingIndicatorReceived "
            "TypingIndicatorRemoved UnknownEvent WebhookEvent event_key"
        ),
        "linq_async.webhooks.explanation": "explain",
        "linq_async.webhooks.inbox": "Accepted HandlerFailedError Inbox InboxError NotAcceptedError",
        "linq_async.webhooks.memory_inbox": "MemoryInbox",
        "linq_async.webhooks.parsing": "parse unwrap",
        "linq_async.webhooks.receiver": "Answer Receiver",
        "linq_async.webhooks.routes": "Skip",
        "linq_async.webhooks.signature": "sign",
        "linq_async.webhooks.sqlite_inbox": "SqliteInbox",
    }
    _MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}
    __all__ = sorted(_MODULES)

    def __getattr__(name: str) -> object:
        """Import a public name from its module when it is first used: ``unwrap`` alone loads no database."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
        return value

    def __dir__() -> list[str]:
        """Return the public names."""
        return __all__
