"""UNSET, and how it is left out of a request."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import orjson
import pytest

from linq_async import UNSET, UnsetType
from linq_async.models.contacts import ContactInput
from linq_async.models.webhook_subscriptions import SubscriptionInput
from linq_async.wire.body import encode_json


def test_there_is_one() -> None:
    """UNSET is the only value of its type, even through pickle and copy; it is falsy and prints its name."""
    assert [pickle.loads(pickle.dumps(UNSET, protocol)) is UNSET for protocol in range(6)] == [True] * 6
    assert copy.copy(UNSET) is copy.deepcopy({"a": UNSET})["a"] is UnsetType() is UNSET
    assert (bool(UNSET), repr(UNSET)) == (False, "UNSET")


def test_it_differs_from_none() -> None:
    """Members that are UNSET are left out at any depth; None is sent as null."""
    body = {"a": UNSET, "b": None, "c": {"d": UNSET, "e": None, "f": {"g": UNSET}}}
    assert _sent(body) == {"b": None, "c": {"e": None, "f": {}}}


def test_a_contact_in_the_body() -> None:
    """A contact is sent with the given fields, including null, and an owner only if one is given."""
    fields = {"email": None, "company": UNSET, "title": ""}
    assert _sent(ContactInput(fields, None).body()) == {"contact": {"email": None, "title": ""}}
    assert _sent(ContactInput({}, "sam@example.com").body()) == {"contact": {}, "user_email": "sam@example.com"}


def test_a_subscription_in_the_body() -> None:
    """A subscription is sent with URL, events and version, and with secret and state only if given."""
    given: Any = {"webhook_url": "https://a.example", "events": ["message.sent"], "version": 2}
    wanted = SubscriptionInput(**given, secret=None, active=None)
    assert _sent(wanted.body()) == {"webhook_subscription": given}
    wanted = SubscriptionInput(**given, secret="s", active=False)
    assert _sent(wanted.body()) == {"webhook_subscription": {**given, "secret": "s", "active": False}}


def _sent(body: Any) -> Any:
    encoded = encode_json(body)
    assert encoded is not None
    return orjson.loads(encoded.data)


@pytest.mark.parametrize("value", [[UNSET], ({"a": UNSET},), {UNSET: 1}])
def test_it_is_never_sent(value: object) -> None:
    """UNSET outside of an object cannot be encoded: it never turns into a value."""
    assert encode_json({"a": value}) is None
