"""Webhook subscriptions: the fields that can be written, and what the server returns."""

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
    """The events that you can subscribe to. Other names are sent unchanged."""

    MESSAGE_SENT = "message.sent"
    MESSAGE_RECEIVED = "message.received"
    MESSAGE_READ = "message.read"
    CALL_COMPLETED = "call.completed"
    REACTION_SENT = "reaction.sent"
    REACTION_RECEIVED = "reaction.received"
    TYPING_INDICATOR_RECEIVED = "typing_indicator.received"
    TYPING_INDICATOR_REMOVED = "typing_indicator.removed"
    CHAT_CREATED = "chat.created"
    """Only in the newer documentation, so the server may refuse it."""
    CONTACT_CREATED = "contact.created"
    CONTACT_UPDATED = "contact.updated"
    CONTACT_DELETED = "contact.deleted"
    PARTICIPANT_ADDED = "participant.added"
    PARTICIPANT_REMOVED = "participant.removed"


@decodable
@attrs.define(kw_only=True)
class WebhookSubscription:
    """A subscription of one of your URLs to events."""

    id: int
    """The server's id."""
    webhook_url: str | None = attrs.field(default=None, repr=False)
    """The URL that the events are sent to."""
    version: int | None = None
    """The version of the event format."""
    events: list[str] = attrs.field(factory=list[str])
    """The events that are sent."""
    active: bool | None = None
    """Whether the subscription is active."""
    secret_configured: bool | None = None
    """Whether there is a secret. The server never returns the secret itself."""
    last_delivered_at: datetime | None = None
    """When an event was last delivered."""
    delivery_attempts: int | None = None
    """The number of attempts to deliver an event."""
    created_at: datetime | None = None
    """When the subscription was created."""
    updated_at: datetime | None = None
    """When the subscription was last changed."""


@attrs.frozen(kw_only=True)
class SubscriptionInput:
    """A subscription to be written. Its ``repr`` shows neither URL nor secret."""

    webhook_url: str = attrs.field(repr=False)
    events: Sequence[WebhookEventType | str] = attrs.field(converter=as_tuple)
    version: int
    secret: str | None = attrs.field(repr=False)
    active: bool | None

    def problems(self) -> list[Problem]:
        """Check all fields."""
        found = url_problems(webhook_url=self.webhook_url) + text_list_problems("events", self.events)
        found += id_problems({"version": self.version}) + optional_text_problems(secret=self.secret)
        if self.active is not None and not isinstance(self.active, bool):
            found.append(Problem("active", "must be a bool"))
        return found

    def body(self) -> dict[str, Any]:
        """Return the JSON body."""
        given = attrs.asdict(self, recurse=False)
        return {"webhook_subscription": {name: UNSET if value is None else value for name, value in given.items()}}

    def matches(self, subscription: WebhookSubscription) -> bool:
        """Return whether a subscription sends the same events to the same URL."""
        return self.webhook_url == subscription.webhook_url and set(self.events) == set(subscription.events)
