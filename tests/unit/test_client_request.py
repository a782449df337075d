"""``linq.request``: any path, through the same keys, retries and errors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from linq_async import (
    AuthenticationError,
    ConnectionLostError,
    DecodeError,
    InvalidArgumentError,
    LinqClient,
    LinqError,
    Outcome,
    Response,
)
from tests.support.clients import AT_ONCE, ONCE, TOKEN, client_of, failure_of
from tests.support.loopback import CREATED, HANG_UP, Loopback, Reply, refused, replied

CHATS = "/api/partner/v2/chats"


async def _problems(*arguments: Any, **named: Any) -> list[str]:
    """Return the names of the rejected arguments, from a client that cannot connect."""
    async with LinqClient(TOKEN, base_url="http://127.0.0.1:1", retry=ONCE) as linq:
        error = await failure_of(linq.request(*arguments, **named))
    assert isinstance(error, InvalidArgumentError)
    assert (error.attempts, error.outcome) == (0, Outcome.NOT_SENT)
    return [problem.argument for problem in error.problems]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "path",
    [
        "",
        "api/partner",
        "//evil.example/x",
        "https://evil.example/x",
        "/x?y=1",
        "/x#y",
        "/x y",
        "/x\r\nX-Evil: 1",
        "/x\x00",
        "/../admin",
        "/x/../y",
        "/x/.",
        "/x/%2e%2E/y",
        "/x/.%2e",
        "/%2e%2e%2fadmin",
        "/x/..;/admin",
        "/x/.;a=b/y",
        "/x%2F..%2Fy",
        "/x%5c..%5Cy",
        "/x/%2e;%2e/y",
        "/\\evil.example",
        "\\\\evil.example",
        "@evil.example",
        "/half\ud800",
        None,
        5,
        b"/x",
    ],
)
async def test_a_path_is_refused(path: Any) -> None:
    """A path that leads to another host or directory, or breaks the request line, is rejected unsent."""
    assert await _problems("GET", path) == ["path"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "target"),
    [
        (f"{CHATS}/45", f"{CHATS}/45"),
        ("/", "/"),
        ("/a..b/.well-known/x.", "/a..b/.well-known/x."),
        ("/a%2Fb/%20", "/a%2Fb/%20"),
        ("/a:b@c/+1", "/a:b@c/+1"),
        ("/é", "/%C3%A9"),
    ],
)
async def test_a_path_arrives_as_it_is(path: str, target: str) -> None:
    """Any other path reaches the server with its escapes, also below a base URL's path."""
    async with Loopback() as server:
        async with client_of(server) as linq:
            await linq.request("GET", path)
        async with LinqClient(TOKEN, base_url=f"{server.url}/gateway/") as linq:
            await linq.request("GET", path)
    assert [request.path for request in server.seen] == [target, "/gateway" + target]


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["get", "GET", "Post", "PATCH", "put", "DELETE", "HEAD", "OPTIONS"])
async def test_a_method_may_be_in_any_case(method: str) -> None:
    """The method is sent in capitals, with the token and without a body."""
    async with Loopback(Reply(204, headers={"Content-Length": "0"})) as server, client_of(server) as linq:
        response = await linq.request(method, "/x")
    (seen,) = server.seen
    assert (seen.method, seen.body, response.status, response.data) == (method.upper(), b"", 204, None)
    assert seen.headers["x-linq-integration-token"] == TOKEN
    assert "content-type" not in seen.headers


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["", "CONNECT", "TRACE", "GET /x", "G\r\nET", None, 5])
async def test_a_method_is_refused(method: Any) -> None:
    """An unknown method is rejected."""
    assert await _problems(method, "/x") == ["method"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("params", "query"),
    [
        (None, ""),
        ({}, ""),
        ({"phone_number": "+15551234567"}, "?phone_number=%2B15551234567"),
        ({"ids": ["1", 2]}, "?ids=1&ids=2"),
        ({"phone_numbers[]": ("+1", "+2")}, "?phone_numbers[]=%2B1&phone_numbers[]=%2B2"),
        ({"page": 2, "ratio": 0.5, "gone": None, "list": [None, "x"]}, "?page=2&ratio=0.5&list=x"),
        ({"q": "a&b=c d#e%20?/é"}, "?q=a%26b%3Dc+d%23e%2520?/%C3%A9"),
    ],
)
async def test_params_are_spelled(params: Mapping[str, Any] | None, query: str) -> None:
    """A plus is sent as %2B, a list repeats its name, None is left out, and values are escaped."""
    async with Loopback() as server, client_of(server) as linq:
        await linq.request("GET", CHATS, params=params)
    assert server.seen[0].path.replace("%5B", "[").replace("%5D", "]") == CHATS + query


@pytest.mark.asyncio
@pytest.mark.parametrize("value", [True, [False], {"a": 1}, object(), b"x", [["x"]], {"x"}, "half\ud800"])
async def test_a_param_is_refused(value: Any) -> None:
    """Bools and containers other than lists are rejected, because no encoding of them is documented."""
    assert len(await _problems("GET", CHATS, params={"a": value})) == 1
    assert await _problems("GET", CHATS, params=[("a", "b")]) == ["params"]
    assert await _problems("GET", CHATS, params={1: 2, None: "x", b"a": "x"}) == ["params"] * 3
    assert await _problems("GET", CHATS, params={"phone_numbers[]": value, "+15550137137": value}) == [
        "params['phone_numbers[]']",
        "params",
    ]


@pytest.mark.asyncio
async def test_a_key_is_put_where_the_api_reads_it() -> None:
    """``idempotency_key`` goes into ``json["message"]`` of a copy, and makes the POST repeatable."""
    body = {"message": {"text": "Hello!"}, "other": [1]}
    async with Loopback(HANG_UP) as server, client_of(server, retry=AT_ONCE) as linq:
        response = await linq.request("POST", CHATS, body, idempotency_key="k-1")
    assert [request.json for request in server.seen] == [
        {"message": {"text": "Hello!", "idempotency_key": "k-1"}, "other": [1]}
    ] * 2
    assert (response.idempotency_key, response.attempts) == ("k-1", 2)
    assert body == {"message": {"text": "Hello!"}, "other": [1]}


@pytest.mark.asyncio
async def test_a_key_in_the_body_counts() -> None:
    """A key that is already in the body is used."""
    async with Loopback(HANG_UP) as server, client_of(server, retry=AT_ONCE) as linq:
        response = await linq.request("POST", CHATS, {"message": {"idempotency_key": "k-2"}})
    assert (response.idempotency_key, response.attempts, server.keys) == ("k-2", 2, ["k-2", "k-2"])


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_without_a_key_nothing_is_sent_twice(method: str) -> None:
    """A lost POST or PATCH without a key is one request with an UNKNOWN outcome; no key is added."""
    async with Loopback(HANG_UP) as server, client_of(server, retry=AT_ONCE) as linq:
        error = await failure_of(linq.request(method, CHATS, {"message": {"text": "Hello!"}}))
    assert isinstance(error, ConnectionLostError)
    assert (error.attempts, error.outcome, error.idempotency_key) == (1, Outcome.UNKNOWN, None)
    assert [request.json for request in server.seen] == [{"message": {"text": "Hello!"}}]


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_what_may_be_repeated_is_counted(method: str) -> None:
    """A lost GET, PUT or DELETE is retried, and every request that the server saw counts as an attempt."""
    async with Loopback(HANG_UP, HANG_UP) as server, client_of(server, retry=AT_ONCE) as linq:
        response = await linq.request(method, CHATS)
    assert response.attempts == len(server.seen) == 3


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "key"),
    [
        (None, "k"),
        ({}, "k"),
        ({"message": "text"}, "k"),
        ({"message": {}}, "bad key"),
        ({"message": {}}, "key\n"),
        ({"message": {}}, ""),
        ({"message": {}}, 5),
        ({"message": {"idempotency_key": "a"}}, "b"),
        ({"message": {"idempotency_key": "a b"}}, None),
        ({"message": {"idempotency_key": ""}}, None),
    ],
)
async def test_a_key_is_refused(body: Any, key: Any) -> None:
    """A key that is malformed, has no place in the body, or contradicts the body's key is rejected."""
    assert await _problems("POST", CHATS, body, idempotency_key=key) == ["idempotency_key"]


@pytest.mark.asyncio
@pytest.mark.parametrize("body", ["text", 5, [1], b"{}", {"a": object()}, {"a": "half\ud800"}, {5: "x"}])
async def test_a_body_is_refused(body: Any) -> None:
    """A body that is not a JSON object, or cannot be encoded, is rejected before anything is sent."""
    assert await _problems("POST", CHATS, body) == ["json"]


@attrs.define
class _Chat:
    id: int
    name: str | None = None


@attrs.define
class _Envelope:
    data: _Chat


@pytest.mark.asyncio
async def test_returns_names_the_class_of_the_answer() -> None:
    """``returns=`` decodes the whole body by the strict rules of every other result."""
    async with (
        Loopback(replied({"data": {"id": 4, "new": 1}}), replied({"data": {"id": "4"}})) as server,
        client_of(server) as linq,
    ):
        response = await linq.request("GET", f"{CHATS}/4", returns=_Envelope)
        error = await failure_of(linq.request("GET", f"{CHATS}/4", returns=_Envelope))
    assert response.data == _Envelope(_Chat(4))
    assert isinstance(error, DecodeError)
    assert (error.paths, error.attempts) == (("$.data.id",), 1)


@pytest.mark.asyncio
async def test_a_response_shows_the_whole_answer() -> None:
    """Status, headers in lower case, request id, body and JSON value are all there."""
    answer = replied({"data": [1, None]}, 202, X_Request_Id="r-7", X_More="Yes")
    async with Loopback(answer) as server, client_of(server) as linq:
        response: Response[Any] = await linq.request("GET", CHATS)
    assert (response.status, response.request_id, response.attempts) == (202, "r-7", 1)
    assert (response.headers["x-more"], response.headers["content-type"]) == ("Yes", "application/json")
    assert (response.body, response.data) == (answer.body, {"data": [1, None]})
    assert response.idempotency_key is None


@pytest.mark.asyncio
@pytest.mark.parametrize("body", [b"", b"OK", b"<html></html>", b"{", b"NaN", b"\xff"])
async def test_a_body_that_is_not_json_is_no_data(body: bytes) -> None:
    """Without ``returns`` a 2xx of any bytes is a Response: the body as it came, data None."""
    async with Loopback(Reply(200, body)) as server, client_of(server) as linq:
        response = await linq.request("GET", CHATS)
    assert (response.body, response.data) == (body, None)


@pytest.mark.asyncio
@pytest.mark.parametrize("chunked", [False, True])
async def test_an_answer_over_the_cap(*, chunked: bool) -> None:
    """An answer over max_response_bytes is a DecodeError, SENT and asked for once; one of exactly that size is fine."""
    framed = b"%x\r\n%s\r\n0\r\n\r\n" % (41, b'"' + b"x" * 39 + b'"')
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    over = head + framed if chunked else Reply(200, b'"' + b"x" * 39 + b'"')
    async with (
        Loopback(over, Reply(200, b'"' + b"x" * 38 + b'"')) as server,
        client_of(server, max_response_bytes=40) as linq,
    ):
        error = await failure_of(linq.request("GET", CHATS))
        response = await linq.request("GET", CHATS)
    assert isinstance(error, DecodeError)
    assert (error.outcome, error.attempts, len(error.body)) == (Outcome.SENT, 1, 40)
    assert "max_response_bytes" in str(error)
    assert (response.data, len(server.seen)) == ("x" * 38, 2)


@pytest.mark.asyncio
async def test_a_refusal_over_the_cap_keeps_its_class() -> None:
    """An error response over the size limit is still the error of its status, with a truncated body."""
    async with Loopback(Reply(401, b"x" * 4_000)) as server, client_of(server, max_response_bytes=100) as linq:
        error = await failure_of(linq.request("GET", CHATS))
    assert isinstance(error, AuthenticationError)
    assert error.body == b"x" * 100


@pytest.mark.asyncio
async def test_no_redirect_is_followed() -> None:
    """A redirect is an error: the token goes to no other host."""
    async with (
        Loopback() as other,
        Loopback(Reply(307, headers={"Location": f"{other.url}/x"})) as server,
        client_of(server, retry=AT_ONCE) as linq,
    ):
        error = await failure_of(linq.request("GET", CHATS))
    assert (type(error).__name__, error.attempts, error.outcome) == ("RedirectError", 1, Outcome.UNKNOWN)
    assert (len(server.seen), other.connections) == (1, 0)


@pytest.mark.asyncio
async def test_arguments_are_checked_at_the_await() -> None:
    """An invalid argument is raised when the call is awaited, as all other errors are, not when it is made."""
    async with LinqClient(TOKEN) as linq:
        calls = [linq.request("GET", "bad path"), linq.chats.create(send_from="", phone_numbers=[], text="")]
        found = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(error) for error in found] == [InvalidArgumentError] * 2


@pytest.mark.asyncio
async def test_each_client_of_a_pool_has_its_own_settings() -> None:
    """``with_options`` sends with another token, headers and policy, over the same connection."""
    async with (
        Loopback(CREATED, refused(503), CREATED) as server,
        client_of(server, headers={"X-Team": "blue"}, retry=AT_ONCE) as linq,
    ):
        other = linq.with_options(token="second", headers={"X-More": "1"}, retry=ONCE)
        await linq.request("GET", CHATS)
        error = await failure_of(other.request("GET", CHATS))
        await linq.request("GET", CHATS)
    assert isinstance(error, LinqError)
    assert error.attempts == 1
    assert [request.headers["x-linq-integration-token"] for request in server.seen] == [TOKEN, "second", TOKEN]
    assert [request.headers.get("x-more") for request in server.seen] == [None, "1", None]
    assert [request.headers["x-team"] for request in server.seen] == ["blue"] * 3
    assert server.connections == 1
