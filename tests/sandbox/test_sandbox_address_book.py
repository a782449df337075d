"""Contacts, lines, subscriptions and the iMessage check."""

from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from linq_async.sandbox import Sandbox

from .calls import HEADERS, LINE, MIRA, Api

MIRA_FIELDS = {
    "first_name": "Mira",
    "last_name": "Okafor",
    "email": "mira@example.org",
    "phone_number": "+12025550111",
    "company": "Northlight Bakery",
    "title": "Owner",
    "location": "Duluth, MN",
}
HOOK: dict[str, Any] = {
    "webhook_url": "https://hooks.example.com/linq",
    "version": 2,
    "secret": "a-long-random-string",
    "active": True,
    "events": ["message.received", "reaction.received"],
}


async def new_contact(api: Api, **fields: Any) -> dict[str, Any]:
    """Create a contact and give what the answer shows of it."""
    data: dict[str, Any] = (await api("POST", "/contacts", {"contact": fields})).json["data"]
    return data


@pytest.mark.asyncio
async def test_a_contact_is_created_and_read_back(api: Api) -> None:
    """Creating answers 201 with every member; reading gives the same."""
    body = {"contact": MIRA_FIELDS, "user_email": "Sam.Reyes@example.com"}
    created = await api("POST", "/contacts", body)
    data = created.json["data"]
    assert created.status == 201
    assert {name: data[name] for name in MIRA_FIELDS} == MIRA_FIELDS
    assert (data["full_name"], data["image_url"]) == ("Mira Okafor", None)
    assert data["contact_owner"] == {
        "id": 42,
        "email": "sam.reyes@example.com",
        "first_name": "Sam",
        "last_name": "Reyes",
        "name": "Sam Reyes",
    }
    assert (await api("GET", f"/contacts/{data['id']}")).json == created.json


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"contact": None},
        {"contact": {"company": "Bakery"}},
        {"contact": {"first_name": ""}},
        {"contact": {"first_name": 7}},
        {"contact": {"first_name": "Mira", "phone_number": "12"}},
        {"contact": {"email": "mira"}},
        {"contact": {"first_name": "Mira"}, "user_email": "nobody@example.com"},
        {"contact": {"first_name": "Mira"}, "user_email": 7},
    ],
)
async def test_wrong_contacts_are_refused_in_their_own_format(api: Api, body: object) -> None:
    """What breaks a rule is a 422 whose `errors` holds strings."""
    reply = await api("POST", "/contacts", body)
    assert reply.status == 422
    assert (reply.json["status"], reply.json["error_code"]) == ("error", "INVALID_PARAMS")
    assert all(isinstance(error, str) for error in reply.json["errors"])


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_updating_changes_only_what_is_given(api: Api, method: str) -> None:
    """PUT and PATCH are partial; null clears a member."""
    contact = await new_contact(api, **MIRA_FIELDS)
    body = {"contact": {"email": None, "title": "Head baker"}}
    reply = await api(method, f"/contacts/{contact['id']}", body)
    data = reply.json["data"]
    assert reply.status == 200
    assert (data["title"], data["first_name"], data.get("email")) == ("Head baker", "Mira", None)


@pytest.mark.asyncio
async def test_an_update_needs_one_of_four_fields(api: Api) -> None:
    """Changing the company alone is a 422, and so is clearing the last name that a contact has."""
    contact = await new_contact(api, first_name="Mira")
    for fields in ({"company": "Bakery"}, {"first_name": None}, {}):
        reply = await api("PATCH", f"/contacts/{contact['id']}", {"contact": fields})
        assert reply.status == 422


@pytest.mark.asyncio
async def test_a_deleted_contact_is_gone(api: Api) -> None:
    """Deleting answers 204, and 404 in the contacts' format from then on."""
    contact = await new_contact(api, first_name="Mira")
    path = f"/contacts/{contact['id']}"
    assert ((await api("DELETE", path)).status, (await api("DELETE", path)).status) == (204, 404)
    for method in ("GET", "PUT", "PATCH"):
        reply = await api(method, path, {"contact": {"first_name": "M"}})
        assert (reply.status, reply.json["error_code"]) == (404, "CONTACT_NOT_FOUND")


@pytest.mark.asyncio
async def test_contacts_are_listed_with_their_own_paging(api: Api) -> None:
    """The list has `contacts` and `pagination`, whose page is `current_page`."""
    for name in "abc":
        await new_contact(api, first_name=name)
    reply = await api("GET", "/contacts", params={"page": "2", "per_page": "2"})
    assert [contact["first_name"] for contact in reply.json["contacts"]] == ["c"]
    assert reply.json["pagination"] == {
        "current_page": 2,
        "per_page": 2,
        "total_pages": 2,
        "total_count": 3,
    }


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "query",
    [
        {"email": "MIRA@example.org"},
        {"phone_number": "(202) 555-0111"},
        {"phone_number": "+12025550111"},
        {"email": "nobody@example.org", "phone_number": "2025550111"},
    ],
)
async def test_a_contact_is_found_by_either(api: Api, query: dict[str, str]) -> None:
    """A search matches email or number, in any spelling, and answers the bare contact."""
    contact = await new_contact(api, **MIRA_FIELDS)
    reply = await api("GET", "/contacts/find", params=query)
    assert (reply.status, reply.json) == (200, contact)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("query", "status"),
    [({}, 400), ({"email": ""}, 400), ({"email": "mira"}, 422), ({"phone_number": "12"}, 422)],
)
async def test_wrong_searches_are_refused(api: Api, query: dict[str, str], status: int) -> None:
    """Nothing to look for is a 400, a malformed value a 422, both in the contacts' format."""
    reply = await api("GET", "/contacts/find", params=query)
    assert (reply.status, reply.json["status"]) == (status, "error")


@pytest.mark.asyncio
async def test_a_search_without_a_match_is_null(api: Api) -> None:
    """A miss is 200 with `contact` null."""
    reply = await api("GET", "/contacts/find", params={"email": "nobody@example.org"})
    assert (reply.status, reply.json) == (200, {"contact": None})


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/contacts", "/contacts/1", "/contacts/find", "/webhook_subscriptions"])
async def test_a_wrong_token_is_refused_in_the_other_format(api: Api, path: str) -> None:
    """Contacts and subscriptions answer 401 with `errors` of strings."""
    reply = await api("GET", path, headers={"X-LINQ-INTEGRATION-TOKEN": "wrong"})
    assert (reply.status, reply.json["status"], reply.json["error_code"]) == (401, "error", "UNAUTHORIZED")


@pytest.mark.asyncio
async def test_lines_are_listed_without_paging(api: Api, sandbox: Sandbox) -> None:
    """Every line of the sandbox is there, the one of the documentation first."""
    reply = await api("GET", "/phone_numbers")
    assert reply.json.keys() == {"phone_numbers"}
    assert [line["phone_number"] for line in reply.json["phone_numbers"]] == list(sandbox.phone_numbers)
    assert reply.json["phone_numbers"][0] == {
        "id": 11,
        "phone_number": LINE,
        "forwarding_number": None,
        "response_rate": 60,
    }


@pytest.mark.asyncio
async def test_forwarding_is_set_and_cleared(api: Api) -> None:
    """The answer is the bare line; an empty string or null clears the number."""
    seen = [
        (await api("PUT", "/phone_numbers/11", {"forwarding_number": number})).json["forwarding_number"]
        for number in ("2025550190", "", "+12025550190", None)
    ]
    assert seen == ["+12025550190", None, "+12025550190", None]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/phone_numbers/99", {"forwarding_number": ""}, 403),
        ("/phone_numbers/x", {"forwarding_number": ""}, 403),
        ("/phone_numbers/11", {}, 422),
        ("/phone_numbers/11", {"forwarding_number": "12"}, 422),
        ("/phone_numbers/11", {"forwarding_number": 12}, 422),
    ],
)
async def test_wrong_forwarding_is_refused(api: Api, path: str, body: object, status: int) -> None:
    """Another's line is a 403, an unusable number a 422."""
    assert (await api("PUT", path, body)).status == status


@pytest.mark.asyncio
async def test_a_subscription_lives(api: Api) -> None:
    """Subscriptions are created, listed, updated and deleted, and never show their secret."""
    created = await api("POST", "/webhook_subscriptions", {"webhook_subscription": HOOK})
    data = created.json["webhook_subscription"]
    assert created.status == 201
    assert b"a-long-random-string" not in created.body
    assert data.keys() == {
        "id",
        "webhook_url",
        "version",
        "events",
        "active",
        "secret_configured",
        "last_delivered_at",
        "delivery_attempts",
        "created_at",
        "updated_at",
    }
    assert data["secret_configured"] is True
    assert data["created_at"].endswith("Z")
    changed = {"webhook_url": "https://hooks.example.com/2", "version": 2, "events": ["chat.created"]}
    path = f"/webhook_subscriptions/{data['id']}"
    updated = (await api("PUT", path, {"webhook_subscription": changed})).json["webhook_subscription"]
    assert (updated["webhook_url"], updated["events"]) == (changed["webhook_url"], changed["events"])
    assert (updated["secret_configured"], updated["active"]) == (True, True)
    assert (await api("GET", "/webhook_subscriptions")).json == {"webhook_subscriptions": [updated]}
    assert ((await api("DELETE", path)).status, (await api("DELETE", path)).status) == (204, 404)
    assert (await api("PUT", path, {"webhook_subscription": changed})).status == 404


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        (HOOK, 400),
        ({"webhook_subscription": {**HOOK, "webhook_url": "ftp://x.example"}}, 422),
        ({"webhook_subscription": {**HOOK, "webhook_url": None}}, 400),
        ({"webhook_subscription": {**HOOK, "events": []}}, 422),
        ({"webhook_subscription": {**HOOK, "events": ["message.lost"]}}, 422),
        ({"webhook_subscription": {**HOOK, "events": "message.sent"}}, 400),
        ({"webhook_subscription": {**HOOK, "version": None}}, 400),
        ({"webhook_subscription": {**HOOK, "version": "2"}}, 422),
        ({"webhook_subscription": {**HOOK, "active": "yes"}}, 422),
        ({"webhook_subscription": {**HOOK, "secret": 7}}, 400),
    ],
)
async def test_wrong_subscriptions_are_refused(api: Api, body: object, status: int) -> None:
    """A subscription needs its wrapper, an URL, known events and the version."""
    reply = await api("POST", "/webhook_subscriptions", body)
    assert (reply.status, reply.json["status"]) == (status, "error")
    assert (await api("GET", "/webhook_subscriptions")).json == {"webhook_subscriptions": []}


@pytest.mark.asyncio
async def test_the_imessage_check_is_limited() -> None:
    """A second check within the interval is a 429 that says how long to wait; later it is answered."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    async with (
        Sandbox(clock=lambda: now) as sandbox,
        aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session,
    ):
        api = Api(session)
        sandbox.without_imessage.add(MIRA)
        path, body = "/i_message_availability/check", {"phone_number": "3343284472"}
        first = await api("POST", path, body)
        now += timedelta(seconds=3.5)
        refused = await api("POST", path, body)
        now += timedelta(seconds=6.5)
        sandbox.without_imessage.clear()
        second = await api("POST", path, body)
        sandbox.imessage_interval = 0.05
        soon = await api("POST", path, body)
        sandbox.imessage_interval = 0.0
        wrong = [(await api("POST", path, {"phone_number": n})).status for n in (None, "", 7, "12")]
    assert (first.status, first.json) == (200, {"available": False, "phone_number": MIRA})
    assert (refused.status, refused.headers["Retry-After"]) == (429, "7")
    assert refused.error["status"] == 429
    assert second.json == {"available": True, "phone_number": MIRA}
    assert (soon.status, soon.headers["Retry-After"]) == (429, "0.050")
    assert wrong == [400, 400, 400, 422]
