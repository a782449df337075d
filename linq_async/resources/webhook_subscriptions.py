"""``linq.webhook_subscriptions``."""

from __future__ import annotations

import builtins
from collections.abc import Coroutine, Sequence
from typing import Any

from linq_async.models.webhook_subscriptions import SubscriptionInput, WebhookEventType, WebhookSubscription
from linq_async.resources.base import Draft, Resource
from linq_async.resources.coroutines import returns_coroutine

_SUBSCRIPTIONS = "/webhook_subscriptions"
_SUBSCRIPTION = "/webhook_subscriptions/{subscription_id}"
_ENVELOPE = "webhook_subscription"


class WebhookSubscriptions(Resource):
    """Your endpoints that receive events."""

    @returns_coroutine
    def create(
        self,
        *,
        webhook_url: str,
        events: Sequence[WebhookEventType | str],
        version: int = 2,
        secret: str | None = None,
        active: bool | None = None,
    ) -> Coroutine[Any, Any, WebhookSubscription]:
        """Subscribe a URL to events. Two equal subscriptions deliver each event twice: see ``ensure``.

        ``secret`` is the key that deliveries are signed with. The server never returns it.
        Not retried once sent: v2 accepts no idempotency key here.
        See "Create Webhook Subscription" in the API reference.

        Raises:
            InvalidArgumentError: If an argument is refused. Nothing is sent.
            LinqError: For any other failure.
        """
        wanted = SubscriptionInput(
            webhook_url=webhook_url, events=events, version=version, secret=secret, active=active
        )
        return self._result(_creation(wanted), WebhookSubscription, _ENVELOPE)

    @returns_coroutine
    def list(self) -> Coroutine[Any, Any, builtins.list[WebhookSubscription]]:
        """Return all your subscriptions as a list. The API does not page them.

        See "List Webhook Subscriptions" in the API reference.

        Raises:
            LinqError: If the call fails.
        """
        draft = Draft("webhook_subscriptions.list", "GET", _SUBSCRIPTIONS)
        return self._result(draft, list[WebhookSubscription], "webhook_subscriptions")

    @returns_coroutine
    def update(
        self,
        subscription_id: int,
        *,
        webhook_url: str,
        events: Sequence[WebhookEventType | str],
        version: int = 2,
        secret: str | None = None,
        active: bool | None = None,
    ) -> Coroutine[Any, Any, WebhookSubscription]:
        """Replace a subscription. The API requires its URL, events and version each time.

        Pass ``secret`` and ``active`` again: the API does not document whether they are kept if left out.
        See "Update Webhook Subscription" in the API reference.

        Raises:
            InvalidArgumentError: If an argument is refused. Nothing is sent.
            NotFoundError: If no such subscription exists.
            LinqError: For any other failure.
        """
        wanted = SubscriptionInput(
            webhook_url=webhook_url, events=events, version=version, secret=secret, active=active
        )
        ids = {"subscription_id": subscription_id}
        draft = Draft(
            "webhook_subscriptions.update",
            "PUT",
            _SUBSCRIPTION,
            ids,
            body=wanted.body(),
            problems=wanted.problems(),
        )
        return self._result(draft, WebhookSubscription, _ENVELOPE)

    @returns_coroutine
    def delete(self, subscription_id: int) -> Coroutine[Any, Any, None]:
        """Delete a subscription. See "Delete Webhook Subscription" in the API reference.

        Raises:
            NotFoundError: If no such subscription exists.
            LinqError: For any other failure.
        """
        ids = {"subscription_id": subscription_id}
        return self._done(Draft("webhook_subscriptions.delete", "DELETE", _SUBSCRIPTION, ids))

    @returns_coroutine
    def ensure(
        self,
        *,
        webhook_url: str,
        events: Sequence[WebhookEventType | str],
        version: int = 2,
        secret: str | None = None,
        active: bool | None = None,
    ) -> Coroutine[Any, Any, WebhookSubscription]:
        """Return the subscription of this URL to these events, or create it if there is none.

        An existing subscription is not changed. If there are several, an active one is preferred: check ``active``.
        Secrets cannot be compared, so set a new one with ``update``. It is safe to call this again after a failure, but
        two programs that call it at the same time may create two subscriptions.

        Raises:
            LinqError: As ``list`` and ``create`` do.
        """
        return self._ensured(
            SubscriptionInput(webhook_url=webhook_url, events=events, version=version, secret=secret, active=active)
        )

    async def _ensured(self, wanted: SubscriptionInput) -> WebhookSubscription:
        creation = _creation(wanted)
        creation.check()
        found = [subscription for subscription in await self.list() if wanted.matches(subscription)]
        if found:
            return max(found, key=lambda subscription: bool(subscription.active))
        return await self._result(creation, WebhookSubscription, _ENVELOPE)


def _creation(wanted: SubscriptionInput) -> Draft:
    return Draft("webhook_subscriptions.create", "POST", _SUBSCRIPTIONS, body=wanted.body(), problems=wanted.problems())
