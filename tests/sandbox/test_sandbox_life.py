"""The sandbox's life, its log, hostile input, and what it imports."""

import ast
import asyncio
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import linq_async.sandbox
from linq_async.sandbox import LoggedRequest, Sandbox
from linq_async.sandbox.api.routes import ROUTES
from linq_async.sandbox.rack.params import params_of_pairs

from .calls import HEADERS, LINE, MIRA, PREFIX, Api, raw

SOURCE = Path(linq_async.sandbox.__file__).parent
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = ("send_from", "chat", "message", "phone_numbers", "text", "idempotency_key", "attachments", "contact")
LIKELY = st.fixed_dictionaries(
    {},
    optional={
        "send_from": st.just(LINE) | JSON,
        "chat": st.fixed_dictionaries(
            {}, optional={"phone_numbers": st.lists(st.just(MIRA) | JSON, max_size=3) | JSON, "display_name": JSON}
        )
        | JSON,
        "message": st.fixed_dictionaries(
            {"text": st.text() | JSON},
            optional={
                "idempotency_key": JSON,
                "attachments": JSON,
                "attachment_urls": st.lists(st.text().map("http://".__add__) | JSON, max_size=2) | JSON,
            },
        )
        | JSON,
    },
)


def test_it_imports_nothing_of_the_rest_of_the_package() -> None:
    """Only itself, aiohttp, yarl, attrs and the standard library are imported, so that errors do not cancel out."""
    roots: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                roots.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not _is_of_the_sandbox(node):
                assert not node.level, f"{path.name} imports from outside its folder by a relative name"
                roots.add((node.module or "").partition(".")[0])
    assert roots - sys.stdlib_module_names == {"aiohttp", "attrs", "yarl"}


def _is_of_the_sandbox(node: ast.ImportFrom) -> bool:
    return node.level == 1 or f"{node.module}.".startswith("linq_async.sandbox.")


def test_there_are_29_operations() -> None:
    """Every operation of the contract has its route."""
    assert len({(route.method, route.path) for route in ROUTES}) == 29


@pytest.mark.asyncio
async def test_every_operation_asks_for_the_token(sandbox: Sandbox) -> None:
    """No operation answers without a token."""
    async with aiohttp.ClientSession(sandbox.base_url) as session:
        for route in ROUTES:
            path = PREFIX + route.path.replace("{", "").replace("}", "")
            async with session.request(route.method, path) as response:
                assert response.status == 401


@pytest.mark.asyncio
async def test_it_starts_on_a_free_port_and_frees_it() -> None:
    """The URL is there while it runs; a closed sandbox refuses connections and may start again."""
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.base_url
    async with sandbox:
        url = sandbox.base_url
        assert url.startswith("http://127.0.0.1:")
        with pytest.raises(RuntimeError, match="already"):
            await sandbox.start()
    await sandbox.close()
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)
        async with sandbox, session.get(f"{sandbox.base_url}{PREFIX}/phone_numbers") as response:
            assert response.status == 200


@pytest.mark.asyncio
async def test_a_port_that_is_taken_leaves_nothing_running(sandbox: Sandbox) -> None:
    """A sandbox that cannot listen says so, and can be started later."""
    port = int(sandbox.base_url.rpartition(":")[2])
    second = Sandbox(port=port)
    with pytest.raises(OSError, match="in use"):
        await second.start()
    await sandbox.close()
    async with second:
        assert second.base_url.endswith(f":{port}")


@pytest.mark.asyncio
async def test_reset_forgets_everything(api: Api, sandbox: Sandbox) -> None:
    """After reset() the sandbox is as new, on the same port."""
    first = await api.create_chat("one")
    sandbox.faults.answer(500)
    url = sandbox.base_url
    sandbox.reset()
    assert (sandbox.messages, sandbox.chats, len(sandbox.requests), sandbox.faults.pending) == ([], [], 0, 0)
    again = await api.create_chat("one")
    assert again.json["data"]["id"] == first.json["data"]["id"]
    assert (sandbox.requests[0].attempt, sandbox.base_url) == (1, url)


@pytest.mark.asyncio
async def test_the_log_holds_every_request(api: Api, sandbox: Sandbox) -> None:
    """Method, path, query, type, size and status are logged, also those of refused and unknown calls."""
    await api.create_chat("one")
    await api("GET", "/chats", params={"page": "2"})
    reply = await api("GET", "/nowhere")
    created, listed, lost = sandbox.requests
    assert (created.method, created.path, created.status) == ("POST", f"{PREFIX}/chats", 200)
    assert (created.content_type, created.size > 90) == ("application/json", True)
    assert (listed.query, listed.status, listed.idempotency_key, listed.size) == ("page=2", 400, None, 0)
    assert (lost.status, lost.request_id, reply.headers["X-Request-Id"]) == (404, "sandbox-3", "sandbox-3")
    assert list(sandbox.requests.by_key()) == ["one"]
    assert sandbox.requests[:2] == [created, listed]


@pytest.mark.asyncio
async def test_the_listener_hears_every_request() -> None:
    """`on_request` gets the finished entry; one that fails changes nothing for the client."""
    heard: list[tuple[str, int | None]] = []

    def listen(entry: LoggedRequest) -> None:
        heard.append((entry.path, entry.status))
        raise LookupError

    async with (
        Sandbox(on_request=listen) as sandbox,
        aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session,
    ):
        reply = await Api(session).create_chat()
    assert reply.status == 200
    assert heard == [(f"{PREFIX}/chats", 200)]


@pytest.mark.asyncio
async def test_the_token_is_never_shown() -> None:
    """Neither the sandbox, its log nor its records show the token."""
    async with (
        Sandbox(token="s3cret-token") as sandbox,
        aiohttp.ClientSession(sandbox.base_url, headers={"X-LINQ-INTEGRATION-TOKEN": "s3cret-token"}) as session,
    ):
        await Api(session).create_chat()
        shown = repr((sandbox, sandbox.requests, sandbox.messages, sandbox.chats, sandbox.faults))
    assert "s3cret" not in shown


@pytest.mark.parametrize(
    "options",
    [
        {"token": ""},
        {"token": "a b"},
        {"token": "tokén"},
        {"phone_numbers": ()},
        {"phone_numbers": "+12025550101"},
        {"phone_numbers": ["555-123-4567"]},
        {"user_emails": []},
        {"user_emails": ["sam"]},
        {"deliver_after": -1},
        {"imessage_interval": float("nan")},
    ],
)
def test_wrong_settings_are_refused(options: dict[str, Any]) -> None:
    """A setting that cannot be is refused at once."""
    with pytest.raises(ValueError, match=r"must|not a phone number"):
        Sandbox(**options)


@pytest.mark.parametrize(
    ("pairs", "params"),
    [
        ([("a", "1"), ("a", "2")], {"a": "2"}),
        ([("a[]", "1"), ("a[]", "2")], {"a": ["1", "2"]}),
        ([("a[b]", "1"), ("a[c][]", "2")], {"a": {"b": "1", "c": ["2"]}}),
        ([("a[][b]", "1"), ("a[][c]", "2"), ("a[][b]", "3")], {"a": [{"b": "1", "c": "2"}, {"b": "3"}]}),
        ([("a[0]", "1")], {"a": {"0": "1"}}),
        ([("[]", "1"), ("", "2")], {}),
    ],
)
def test_names_nest_as_in_rack(pairs: list[tuple[str, str]], params: object) -> None:
    """Bracketed names become objects and arrays by the rules of Rack."""
    assert params_of_pairs(pairs) == params


async def statuses(requests: list[tuple[str, str, dict[str, Any]]]) -> list[int]:
    """Make calls against a fresh sandbox and give their statuses."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session:
        api = Api(session)
        await api.new_message()
        await api("POST", "/contacts", {"contact": {"first_name": "Mira"}})
        return [(await api(method, path, **options)).status for method, path, options in requests]


@pytest.mark.slow
@settings(deadline=None)
@given(body=JSON | LIKELY)
def test_any_json_to_create_chat_is_answered(body: object) -> None:
    """Whatever JSON is posted, the answer is 200 or a documented refusal."""
    (status,) = asyncio.run(statuses([("POST", "/chats", {"json": body})]))
    assert status in (200, 400, 422)


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(body=JSON | st.dictionaries(st.sampled_from(NAMES), JSON))
def test_any_json_to_any_operation_is_answered(body: object) -> None:
    """No JSON makes an operation answer with 5xx."""
    ids = {"chat_id": "8101", "chat_message_id": "900001", "reaction_id": "301"}
    calls: list[tuple[str, str, dict[str, Any]]] = []
    for route in ROUTES:
        path = route.path.replace("{id}", "7001" if "contacts" in route.path else "900001")
        for name, value in {**ids, "webhook_subscription_id": "640"}.items():
            path = path.replace(f"{{{name}}}", value)
        wrapped = {"contact": body, "webhook_subscription": body, "message": body, "text": body}
        calls += [(route.method, path, {"json": one}) for one in (body, wrapped)]
    assert all(status < 500 for status in asyncio.run(statuses(calls)))


@pytest.mark.slow
@settings(deadline=None)
@given(
    body=st.binary(max_size=400) | st.binary(max_size=99).map(b"--b\r\n".__add__),
    content_type=st.sampled_from(
        [
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=b",
            "multipart/form-data",
            "text/plain",
            "nonsense",
            "",
        ]
    ),
    query=st.text(st.characters(codec="utf-8"), max_size=40),
)
def test_any_bytes_are_answered(body: bytes, content_type: str, query: str) -> None:
    """Whatever bytes, types and queries come in, the answer is a 4xx."""
    options = {"data": body, "headers": {"Content-Type": content_type}, "params": {query: query}}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/chats", options),
        ("POST", "/contacts", options),
        ("GET", "/chats", options),
        ("GET", "/contacts/find", options),
    ]
    assert all(400 <= status < 500 for status in asyncio.run(statuses(calls)))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"Expect: 42\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_broken_http_is_a_4xx(sandbox: Sandbox, rest: bytes) -> None:
    """A body that breaks the rules of HTTP is refused with a 4xx."""
    head = f"POST {PREFIX}/chats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".encode()
    token = f"X-LINQ-INTEGRATION-TOKEN: {sandbox.token}\r\nContent-Type: application/json\r\n".encode()
    answer = await raw(sandbox, head + token + rest)
    assert answer.split(b" ")[1].startswith(b"4")


@pytest.mark.asyncio
async def test_a_client_that_vanishes_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A request whose body never ends stores nothing, is logged without a status, and makes no noise."""
    over = asyncio.Event()
    async with Sandbox(on_request=lambda _: over.set()) as sandbox:
        host, _, port = sandbox.base_url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {PREFIX}/chats HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"X-LINQ-INTEGRATION-TOKEN: {sandbox.token}\r\n"
        writer.write(f"{head}Expect: 100-continue\r\nContent-Length: 99\r\n\r\n".encode() + b'{"send_from"')
        assert b"100" in await reader.readline()
        writer.close()
        await writer.wait_closed()
        async with asyncio.timeout(2):
            await over.wait()
    assert (sandbox.requests[0].status, sandbox.messages) == (None, [])
    assert caplog.records == []
