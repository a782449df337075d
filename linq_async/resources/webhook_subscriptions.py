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
        """Have events sent to a URL. Two equal subscriptions mean two deliveries: see ``ensure``.

        ``secret`` is the key that deliveries are signed with; it is never shown again. It carries no key, so a lost
        answer is raised, with outcome UNKNOWN. Raises InvalidArgumentError, or another LinqError.
        https://docs.linqapp.com, Create Webhook Subscription.
        """
        wanted = SubscriptionInput(
            webhook_url=webhook_url, events=events, version=version, secret=secret, active=active
        )
        return self._result(_creation(wanted), WebhookSubscription, _ENVELOPE)

    @returns_coroutine
    def list(self) -> Coroutine[Any, Any, builtins.list[WebhookSubscription]]:
        """Return your subscriptions: a plain list, for the API gives it whole.

        Raises a LinqError. https://docs.linqapp.com, List Webhook Subscriptions.
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
        """Write a subscription anew: the API demands URL, events and version each time.

        It does not say whether leaving out ``secret`` or ``active`` keeps them, so pass them again. Raises
        InvalidArgumentError, NotFoundError, or another LinqError. https://docs.linqapp.com, Update Webhook
        Subscription.
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
        """Send no more events there.

        Raises NotFoundError where there is none, or another LinqError. https://docs.linqapp.com, Delete Webhook
        Subscription.
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
        """Return the subscription that sends these events to this URL, and create it where there is none.

        One that is there stays as it is, an active one before others: look at its ``active``. Its secret cannot be
        compared, so set a new one with ``update``. Call it again after any failure; two programs that call it at the
        same moment may still create two. Raises what ``list`` and ``create`` raise.
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
