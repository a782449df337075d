"""Webhook subscriptions: what is written, and what the server shows."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import attrs

from linq_async._unset import UNSET
from linq_async.errors import Problem
from linq_async.models.checks import as_tuple, id_problems, optional_text_problems, text_list_problems, url_problems
from linq_async.models.decodable import decodable


class WebhookEventType(enum.StrEnum):
    """The events that can be subscribed to. Any other name is sent as it is given."""

    MESSAGE_SENT = "message.sent"
    MESSAGE_RECEIVED = "message.received"
    MESSAGE_READ = "message.read"
    CALL_COMPLETED = "call.completed"
    REACTION_SENT = "reaction.sent"
    REACTION_RECEIVED = "reaction.received"
    TYPING_INDICATOR_RECEIVED = "typing_indicator.received"
    TYPING_INDICATOR_REMOVED = "typing_indicator.removed"
    CHAT_CREATED = "chat.created"
    """In the newer documentation only: the server may refuse it."""
    CONTACT_CREATED = "contact.created"
    CONTACT_UPDATED = "contact.updated"
    CONTACT_DELETED = "contact.deleted"
    PARTICIPANT_ADDED = "participant.added"
    PARTICIPANT_REMOVED = "participant.removed"


@decodable
@attrs.define(kw_only=True)
class WebhookSubscription:
    """An endpoint of yours that receives events."""

    id: int
    """The server's id."""
    webhook_url: str | None = attrs.field(default=None, repr=False)
    """Where the events go."""
    version: int | None = None
    """The version of the events' form."""
    events: list[str] = attrs.field(factory=list[str])
    """The events that it receives."""
    active: bool | None = None
    """Whether events are sent to it."""
    secret_configured: bool | None = None
    """Whether it has a secret, which is never shown."""
    last_delivered_at: datetime | None = None
    """When an event was last delivered."""
    delivery_attempts: int | None = None
    """How often a delivery was tried."""
    created_at: datetime | None = None
    """When it was made."""
    updated_at: datetime | None = None
    """When it was changed last."""


@attrs.frozen(kw_only=True)
class SubscriptionInput:
    """A subscription to be written. Prints neither its URL nor its secret."""

    webhook_url: str = attrs.field(repr=False)
    events: Sequence[WebhookEventType | str] = attrs.field(converter=as_tuple)
    version: int
    secret: str | None = attrs.field(repr=False)
    active: bool | None

    def problems(self) -> list[Problem]:
        """Return all that is wrong with it."""
        found = url_problems(webhook_url=self.webhook_url) + text_list_problems("events", self.events)
        found += id_problems({"version": self.version}) + optional_text_problems(secret=self.secret)
        if self.active is not None and not isinstance(self.active, bool):
            found.append(Problem("active", "must be a bool"))
        return found

    def body(self) -> dict[str, Any]:
        """Return it as the API takes it."""
        given = attrs.asdict(self, recurse=False)
        return {"webhook_subscription": {name: UNSET if value is None else value for name, value in given.items()}}

    def matches(self, subscription: WebhookSubscription) -> bool:
        """Tell whether a subscription sends the same events to the same URL."""
        return self.webhook_url == subscription.webhook_url and set(self.events) == set(subscription.events)
