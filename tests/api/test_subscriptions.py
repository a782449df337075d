"""``linq.webhook_subscriptions``."""

from __future__ import annotations

from typing import Any

import pytest

from linq_async import WebhookEventType
from tests.support.world import URL, World, failure_of

pytestmark = pytest.mark.asyncio
EVENTS = ["message.received", WebhookEventType.REACTION_RECEIVED]


async def test_create_with_everything(world: World) -> None:
    """``create`` sends URL, events, version, secret and state; the secret is not returned."""
    made = await world.linq.webhook_subscriptions.create(webhook_url=URL, events=EVENTS, secret="s", active=False)
    assert (made.webhook_url, made.events, made.version) == (URL, ["message.received", "reaction.received"], 2)
    assert (made.secret_configured, made.active, made.last_delivered_at) == (True, False, None)
    assert await world.linq.webhook_subscriptions.list() == [made]


async def test_update_writes_the_whole(filled: World) -> None:
    """``update`` sends URL, events and version, but secret and state only if they are given."""
    subscriptions = filled.linq.webhook_subscriptions
    await subscriptions.update(filled.subscription_id, webhook_url=URL, events=EVENTS, secret="s", active=False)
    changed = await subscriptions.update(filled.subscription_id, webhook_url=f"{URL}/2", events=["message.read"])
    assert (changed.webhook_url, changed.events, changed.version) == (f"{URL}/2", ["message.read"], 2)
    assert (changed.secret_configured, changed.active) == (True, False)


async def test_update_demands_what_the_api_demands(filled: World) -> None:
    """``update`` requires URL and events."""
    update: Any = filled.linq.webhook_subscriptions.update
    for given in ({"webhook_url": URL}, {"events": EVENTS}):
        with pytest.raises(TypeError):
            update(filled.subscription_id, **given)


async def test_delete(filled: World) -> None:
    """A deleted subscription is not found again."""
    await filled.linq.webhook_subscriptions.delete(filled.subscription_id)
    assert await filled.linq.webhook_subscriptions.list() == []
    error = await failure_of(filled.linq.webhook_subscriptions.delete(filled.subscription_id))
    assert type(error).__name__ == "NotFoundError"


async def test_ensure_creates_once(world: World) -> None:
    """Repeated calls of ``ensure`` leave one subscription, whatever the order of the events."""
    ensure = world.linq.webhook_subscriptions.ensure
    made = [await ensure(webhook_url=URL, events=events, secret="s") for events in (EVENTS, EVENTS[::-1], EVENTS * 2)]
    assert [subscription.id for subscription in made] == [made[0].id] * 3
    assert [method for method, _ in world.seen] == ["GET", "POST", "GET", "GET"]


async def test_ensure_distinguishes_subscriptions(filled: World) -> None:
    """``ensure`` creates a second subscription for another URL or other events."""
    ensure = filled.linq.webhook_subscriptions.ensure
    ids = {filled.subscription_id, (await ensure(webhook_url=f"{URL}/2", events=["message.sent"])).id}
    ids.add((await ensure(webhook_url=URL, events=["message.sent", "message.read"])).id)
    assert len(ids) == len(await filled.linq.webhook_subscriptions.list()) == 3


async def test_ensure_prefers_an_active_one(world: World) -> None:
    """``ensure`` prefers an active match, and returns an inactive one if there is no other."""
    subscriptions = world.linq.webhook_subscriptions
    idle = await subscriptions.create(webhook_url=URL, events=EVENTS, active=False)
    assert await subscriptions.ensure(webhook_url=URL, events=EVENTS) == idle
    busy = await subscriptions.create(webhook_url=URL, events=EVENTS)
    assert await subscriptions.ensure(webhook_url=URL, events=EVENTS) == busy


async def test_ensure_after_a_lost_answer(world: World) -> None:
    """The call after a lost response finds the subscription: there is still one."""
    world.sandbox.faults.drop_after_storing(method="POST")
    await failure_of(world.linq.webhook_subscriptions.ensure(webhook_url=URL, events=EVENTS))
    found = await world.linq.webhook_subscriptions.ensure(webhook_url=URL, events=EVENTS)
    assert await world.linq.webhook_subscriptions.list() == [found]


@pytest.mark.off_contract("an event that is not documented", "request.body")
async def test_an_event_that_the_server_does_not_know(world: World) -> None:
    """An unlisted event is sent unchanged, and the server's error is raised."""
    error = await failure_of(world.linq.webhook_subscriptions.create(webhook_url=URL, events=["message.lost"]))
    assert (type(error).__name__, len(world.seen)) == ("UnprocessableEntityError", 1)


@pytest.mark.parametrize("name", ["create", "update", "ensure"])
async def test_all_that_is_wrong_at_once(world: World, name: str) -> None:
    """Each method that writes lists every invalid argument before anything is sent."""
    given: Any = {"webhook_url": "hooks.example.com", "events": [], "version": "2", "secret": "", "active": 1}
    method: Any = getattr(world.linq.webhook_subscriptions, name)
    error = await failure_of(method(1, **given) if name == "update" else method(**given))
    assert error.message.split("; ") == [
        "webhook_url must be an http or https URL",
        "events must not be empty",
        "version must be an int above 0",
        "secret must not be empty",
        "active must be a bool",
    ]
    assert world.seen == []
