"""linq_async/config.py."""

from __future__ import annotations

import math
from typing import Any

import pytest

from linq_async import ConfigurationError, InvalidArgumentError, LinqClient, RetryPolicy, Timeouts
from linq_async.arguments import check_headers, read_base_url, read_proxy
from linq_async.config import DEFAULT_BASE_URL, Settings

SECRET = "s3cret-token"
PROXY = "http://user:pa55@proxy.example:3128"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the variables that the machine may have set."""
    for name in ("LINQ_INTEGRATION_TOKEN", "LINQ_BASE_URL", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def _settings(client: LinqClient) -> Settings:
    return client._pipeline.settings


def test_the_token_comes_from_the_argument_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token comes from the environment unless one is passed."""
    monkeypatch.setenv("LINQ_INTEGRATION_TOKEN", "from-environment")
    assert _settings(LinqClient()).token == "from-environment"
    assert _settings(LinqClient("passed")).token == "passed"
    assert _settings(LinqClient("passed")).request_headers["X-LINQ-INTEGRATION-TOKEN"] == "passed"


@pytest.mark.parametrize("token", [None, "", " ", "a b", "abc\n", "\tabc", "abc\x00", "gehéim", "abc\x7f", 5, b"abc"])
def test_a_token_that_cannot_be_sent_is_refused(token: Any) -> None:
    """A token that is missing or has blanks, control or non-ASCII characters is rejected, and never shown."""
    with pytest.raises(ConfigurationError) as caught:
        LinqClient(token)
    if isinstance(token, str) and token.strip():
        assert token.strip() not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize("token", ["", " ", "abc\n"])
def test_a_bad_token_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """The variables are checked as the arguments are, and the error names the variable or the problem."""
    monkeypatch.setenv("LINQ_INTEGRATION_TOKEN", token)
    with pytest.raises(ConfigurationError, match="token"):
        LinqClient()


def test_the_base_url_comes_from_the_argument_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base URL is the argument, else the variable, else Linq's; an empty variable counts as unset."""
    assert _settings(LinqClient(SECRET)).base_url == DEFAULT_BASE_URL == "https://api.linqapp.com"
    monkeypatch.setenv("LINQ_BASE_URL", "https://staging.example/")
    assert _settings(LinqClient(SECRET)).base_url == "https://staging.example"
    assert _settings(LinqClient(SECRET, base_url="https://other.example")).base_url == "https://other.example"
    monkeypatch.setenv("LINQ_BASE_URL", "")
    assert _settings(LinqClient(SECRET)).base_url == DEFAULT_BASE_URL


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.linqapp.com",
        "ftp://api.linqapp.com",
        "https://",
        "https:///path",
        "https://api.linqapp.com:notaport",
        "https://api.linqapp.com:99999",
        "https://api.linqapp.com/\n",
        "https://api.linqapp.com /x",
        "https://[::1",
        "https://user@api.linqapp.com",
        "https://user:pa55@api.linqapp.com",
        "https://api.linqapp.com?token=pa55",
        "https://api.linqapp.com#pa55",
        "http://api.linqapp.com",
        "http://10.0.0.5",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://a.localhost",
        "http://localhost.",
        5,
    ],
)
def test_a_base_url_is_refused(url: Any) -> None:
    """A base URL is rejected if it is invalid, has a user or query, or is not https; no secret is shown."""
    with pytest.raises(ConfigurationError) as caught:
        LinqClient(SECRET, base_url=url)
    assert "pa55" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8080", "http://127.0.0.1:1", "http://127.8.8.8", "http://[::1]:8080"],
)
def test_http_is_fine_on_this_machine(url: str) -> None:
    """Plain http to loopback needs no permission."""
    assert read_base_url(url, allow_http=False) == url


def test_http_beyond_this_machine_must_be_asked_for() -> None:
    """``allow_http=True`` lets plain http through."""
    client = LinqClient(SECRET, base_url="http://gateway.internal/linq/", allow_http=True)
    assert _settings(client).base_url == "http://gateway.internal/linq"


@pytest.mark.parametrize("value", [0, -1, math.nan, -math.inf, True, "5", [], object(), math.inf, 10**400, 1.1e9])
@pytest.mark.parametrize("name", ["connect", "write", "read", "total"])
def test_a_timeout_is_a_number_above_zero(name: str, value: Any) -> None:
    """Each field of Timeouts must be a number above 0; the error names the field."""
    with pytest.raises(InvalidArgumentError) as caught:
        Timeouts(**{name: value})
    assert [problem.argument for problem in caught.value.problems] == [name]


def test_a_timeout_may_be_none_or_a_fraction() -> None:
    """A limit may be None, an int or a float."""
    assert Timeouts(connect=None, write=1, read=0.25, total=None) == Timeouts(None, 1.0, 0.25, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("max_attempts", value) for value in (0, -1, 1.5, True, "3", None, math.inf, 10**400)],
        *[(name, value) for name in ("initial_delay", "max_delay") for value in (-0.1, math.nan, "1", None, True)],
        *[(name, value) for name in ("initial_delay", "max_delay", "max_elapsed") for value in (10**400, math.inf)],
        *[("max_elapsed", value) for value in (0, -1, math.nan, "1", None, True)],
    ],
)
def test_a_policy_refuses_bad_numbers(name: str, value: Any) -> None:
    """Each field of RetryPolicy is checked by its constructor; the error names the field."""
    with pytest.raises(InvalidArgumentError) as caught:
        RetryPolicy(**{name: value})
    assert [problem.argument for problem in caught.value.problems] == [name]


def test_all_invalid_numbers_are_reported_at_once() -> None:
    """One error names all four invalid fields of a policy."""
    with pytest.raises(InvalidArgumentError) as caught:
        RetryPolicy(max_attempts=0, initial_delay=-1, max_delay=-1, max_elapsed=0)
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize(("connections", "size"), [(0, 1), (1, 0), (-5, 1), (1.5, 1), (True, 1), (None, 1), (1, "8")])
def test_limits_are_whole_numbers(connections: Any, size: Any) -> None:
    """``max_connections`` and ``max_response_bytes`` must be ints of 1 or more."""
    with pytest.raises(InvalidArgumentError):
        LinqClient(SECRET, max_connections=connections, max_response_bytes=size)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "b\r\nX-C: d"},
        {"X-A": "b\n"},
        {"X-A": "b\x00"},
        {"X-A": "half \ud800"},
        {"X-A": 5},
        {"X A": "b"},
        {"X-A:": "b"},
        {"X-A\r\n": "b"},
        {"": "b"},
        {"é": "b"},
        {5: "b"},
        *[{name: "x"} for name in ("x-linq-integration-token", "Content-Type", "HOST", "Content-Length")],
        *[{name: "x"} for name in ("Transfer-Encoding", "Connection", "Expect", "Accept-Encoding")],
    ],
)
def test_a_header_is_refused(headers: Any) -> None:
    """A header that is invalid or replaces one of the client's own is a ConfigurationError."""
    with pytest.raises(ConfigurationError):
        LinqClient(SECRET, headers=headers)


def test_own_headers_are_sent() -> None:
    """A caller's headers go along, may replace User-Agent in any case, and are a copy."""
    given = {"X-Team": "blue ü", "user-agent": "shop/1"}
    client = LinqClient(SECRET, headers=given)
    given["X-Team"] = "red"
    sent = _settings(client).request_headers
    assert (sent["X-Team"], sent["user-agent"], sent["Accept"]) == ("blue ü", "shop/1", "application/json")
    assert [name for name in sent if name.lower() == "user-agent"] == ["user-agent"]
    assert check_headers(None) == {}


def test_added_headers_replace_whatever_their_case() -> None:
    """``with_options(headers=)`` replaces an existing header, whatever the case of its name."""
    client = LinqClient(SECRET, headers={"X-Team": "blue"}).with_options(headers={"x-team": "red", "X-New": "1"})
    sent = [(name.lower(), value) for name, value in _settings(client).request_headers.items()]
    assert [value for name, value in sent if name == "x-team"] == ["red"]
    assert ("x-new", "1") in sent


@pytest.mark.parametrize(("variable", "url"), [("HTTPS_PROXY", DEFAULT_BASE_URL), ("https_proxy", DEFAULT_BASE_URL)])
def test_a_proxy_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, variable: str, url: str) -> None:
    """The proxy comes from the usual variables unless one is passed."""
    monkeypatch.setenv(variable, PROXY)
    assert read_proxy(None, url) == PROXY
    assert read_proxy("http://mine.example", url) == "http://mine.example"


def test_a_proxy_is_for_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY does not serve https, and ALL_PROXY serves whatever has none of its own."""
    monkeypatch.setenv("http_proxy", PROXY)
    assert read_proxy(None, DEFAULT_BASE_URL) is None
    monkeypatch.setenv("all_proxy", "http://all.example:1")
    assert read_proxy(None, DEFAULT_BASE_URL) == "http://all.example:1"


@pytest.mark.parametrize("bypass", ["api.linqapp.com", ".linqapp.com", "linqapp.com", "*", "x, api.linqapp.com"])
def test_no_proxy_is_heeded(monkeypatch: pytest.MonkeyPatch, bypass: str) -> None:
    """A host that NO_PROXY names is reached directly."""
    monkeypatch.setenv("https_proxy", PROXY)
    monkeypatch.setenv("no_proxy", bypass)
    assert read_proxy(None, DEFAULT_BASE_URL) is None
    assert read_proxy(None, "https://other.example") == (None if bypass == "*" else PROXY)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost", "https://[::1]:1"])
def test_loopback_is_never_proxied(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Connections to this machine ignore the proxy variables."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, PROXY)
    assert read_proxy(None, url) is None


@pytest.mark.parametrize("proxy", ["", "proxy:3128", "socks5://user:pa55@proxy.example", "http://", "http://pr oxy", 5])
def test_a_proxy_that_cannot_serve_is_refused(proxy: Any) -> None:
    """A proxy that aiohttp cannot use is rejected by the constructor, and not shown."""
    with pytest.raises(ConfigurationError) as caught:
        LinqClient(SECRET, proxy=proxy)
    assert "pa55" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["proxy.example:3128", "socks5://user:pa55@proxy.example"])
def test_a_proxy_of_the_environment_that_cannot_serve_is_refused(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """A proxy variable that aiohttp cannot use is an error of the constructor, not of the first send."""
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(ConfigurationError) as caught:
        LinqClient(SECRET)
    assert "pa55" not in str(caught.value)


def test_no_repr_shows_a_secret() -> None:
    """Token, proxy password and header values are in no repr of client, settings or pipeline."""
    client = LinqClient(SECRET, headers={"X-Api-Key": "hidden-value"}, proxy=PROXY)
    shown = f"{client!r} {client!s} {_settings(client)!r} {client.chats!r} {client._pipeline!r}"
    assert "api.linqapp.com" in shown
    assert not [secret for secret in (SECRET, "hidden-value", "pa55") if secret in shown]
