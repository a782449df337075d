"""Operations on webhook subscriptions."""

import attrs

from linq_async.sandbox.rack.params import Params
from linq_async.sandbox.records import SandboxSubscription
from linq_async.sandbox.refusals import RefusalError, invalid, missing
from linq_async.sandbox.responses import ApiResponse, json_response, utc_time, utc_time_or_none
from linq_async.sandbox.state import State

from .call import ApiCall
from .fields import optional_text, optional_texts, required_object, required_text, web_url

EVENTS = frozenset(
    {
        "message.sent",
        "message.received",
        "message.read",
        "call.completed",
        "reaction.sent",
        "reaction.received",
        "typing_indicator.received",
        "typing_indicator.removed",
        "chat.created",
        "contact.created",
        "contact.updated",
        "contact.deleted",
        "participant.added",
        "participant.removed",
    }
)


def list_subscriptions(call: ApiCall) -> ApiResponse:
    """Return all subscriptions, without paging."""
    found = [subscription_data(one) for one in call.state.subscriptions.values()]
    return json_response(200, {"webhook_subscriptions": found})


def create_subscription(call: ApiCall) -> ApiResponse:
    """Store a subscription; equal ones are not merged."""
    subscription = add_subscription(call.state, required_object(call.params, "webhook_subscription"))
    return json_response(201, {"webhook_subscription": subscription_data(subscription)})


def add_subscription(state: State, given: Params) -> SandboxSubscription:
    """Check and store a subscription."""
    url, events, version = _required_members(given)
    secret, active = optional_text(given, "secret"), _active(given)
    state.replace_texts((), (url, secret, *events), things=1)
    return state.add_subscription(url, events, version, secret, active=active is not False)


def update_subscription(call: ApiCall) -> ApiResponse:
    """Replace URL, events and version, and the secret and active if they are given."""
    subscription = _subscription(call)
    given = required_object(call.params, "webhook_subscription")
    url, events, version = _required_members(given)
    secret, active = optional_text(given, "secret"), _active(given)
    secret = subscription.secret if secret is None else secret
    call.state.replace_texts(_texts(subscription), (url, secret, *events))
    changed = attrs.evolve(
        subscription,
        webhook_url=url,
        events=events,
        version=version,
        secret=secret,
        active=subscription.active if active is None else active,
    )
    return json_response(200, {"webhook_subscription": subscription_data(call.state.update_subscription(changed))})


def delete_subscription(call: ApiCall) -> ApiResponse:
    """Delete a subscription."""
    remove_subscription(call.state, _subscription(call))
    return ApiResponse(204)


def remove_subscription(state: State, subscription: SandboxSubscription) -> None:
    """Delete a subscription, and give back its memory."""
    state.delete_subscription(subscription)
    state.replace_texts(_texts(subscription), (), things=-1)


def _subscription(call: ApiCall) -> SandboxSubscription:
    refusal = RefusalError(404, "subscription_not_found", "Webhook subscription not found")
    subscription = call.state.subscriptions.get(call.id("webhook_subscription_id", refusal))
    if subscription is None:
        raise refusal
    return subscription


def _texts(subscription: SandboxSubscription) -> tuple[str | None, ...]:
    return (subscription.webhook_url, subscription.secret, *subscription.events)


def _required_members(given: Params) -> tuple[str, tuple[str, ...], int]:
    url = web_url(required_text(given, "webhook_url"), "webhook_url")
    events = tuple(dict.fromkeys(optional_texts(given, "events")))
    if not events or not EVENTS.issuperset(events):
        raise invalid("events must contain at least one event, and only known ones")
    version = given.get("version")
    if version is None:
        raise missing("version")
    if not isinstance(version, int) or version != 2:
        raise invalid("version must be 2")
    return url, events, version


def _active(given: Params) -> bool | None:
    active = given.get("active")
    if active is not None and not isinstance(active, bool):
        raise invalid("active must be true or false")
    return active


def subscription_data(subscription: SandboxSubscription) -> Params:
    """Return a subscription as responses show it, without the secret."""
    return {
        "id": subscription.id,
        "webhook_url": subscription.webhook_url,
        "version": subscription.version,
        "events": subscription.events,
        "active": subscription.active,
        "secret_configured": bool(subscription.secret),
        "last_delivered_at": utc_time_or_none(subscription.last_delivered_at),
        "delivery_attempts": subscription.delivery_attempts,
        "created_at": utc_time(subscription.created_at),
        "updated_at": utc_time(subscription.updated_at),
    }
