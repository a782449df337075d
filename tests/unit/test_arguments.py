"""linq_async/arguments.py: wrong types, and URLs that no request can be made of."""

from __future__ import annotations

import functools
import ssl
import warnings
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from linq_async import Attempt, ConfigurationError, InvalidArgumentError, LinqClient, Outcome, RetryPolicy, Timeouts
from linq_async.arguments import read_base_url, read_proxy
from linq_async.timing import Timing

TOKEN = "token-of-the-tests"


class Hook:
    """A callable whose result must be awaited."""

    async def __call__(self, record: Attempt) -> None:
        """Do nothing."""

    async def method(self, record: Attempt) -> None:
        """Do nothing."""

    def plain(self, record: Attempt) -> None:
        """Do nothing."""


async def _coroutine(record: Attempt) -> None: ...


async def _generator(record: Attempt) -> Any:
    yield record


def _more(extra: int, record: Attempt) -> None: ...


AWAITED = [
    _coroutine,
    _generator,
    Hook(),
    Hook().method,
    functools.partial(_coroutine),
    functools.partial(functools.partial(Hook())),
]
WRONG: dict[str, list[Any]] = {
    "retry": [RetryPolicy, 5, 0, "", {"max_attempts": 3}, Timeouts()],
    "timeouts": [Timeouts, 5, 0, 0.5, "", RetryPolicy()],
    "headers": ["X-A: b", [("X-A", "b")], 5, 0],
    "on_attempt": ["x", 5, 0, *AWAITED],
}
ONLY_WHEN_BUILT: dict[str, list[Any]] = {
    "retry": [None],
    "timeouts": [None],
    "ssl": ["no", False, True, 0, ssl.SSLContext],
    "allow_http": ["no", 1, None],
    "max_connections": [0, "5", 1.0],
    "max_response_bytes": [0, "5", None],
}


def _refused(build: Callable[..., object], options: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidArgumentError) as caught:
        build(**options)
    assert (caught.value.outcome, caught.value.attempts) == (Outcome.NOT_SENT, 0)
    return [problem.argument for problem in caught.value.problems]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_type_is_refused(name: str, value: Any) -> None:
    """The constructor and ``with_options`` reject a wrong type at once, and name the argument."""
    assert _refused(functools.partial(LinqClient, TOKEN), {name: value}) == [name]
    assert _refused(LinqClient(TOKEN).with_options, {name: value}) == [name]


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in ONLY_WHEN_BUILT.items() for value in values]
)
def test_a_wrong_type_is_refused_when_a_client_is_built(name: str, value: Any) -> None:
    """Arguments that only the constructor takes are checked there."""
    assert _refused(functools.partial(LinqClient, TOKEN), {name: value}) == [name]


def test_all_wrong_types_are_named_at_once() -> None:
    """One error names every argument with a wrong type."""
    options = {"retry": 1, "timeouts": 2, "ssl": 3, "headers": 4, "allow_http": 5, "on_attempt": 6}
    assert _refused(functools.partial(LinqClient, TOKEN), options) == list(options)


def _ignore(_: Attempt) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    "hook", [print, Hook().plain, list[object]().append, _ignore, functools.partial(_more, 5), dict]
)
def test_a_plain_hook_is_taken(hook: Any) -> None:
    """Functions, methods, built-ins, partials and classes serve as ``on_attempt``."""
    assert LinqClient(TOKEN, on_attempt=hook).with_options(on_attempt=hook)._pipeline.settings.on_attempt is hook


def test_what_is_not_given_stays() -> None:
    """``with_options()`` without arguments changes nothing."""
    linq = LinqClient(TOKEN, retry=RetryPolicy(2), timeouts=Timeouts(1), headers={"X-A": "b"}, on_attempt=print)
    assert linq.with_options()._pipeline.settings == linq._pipeline.settings


@pytest.mark.parametrize("blind", ["certificate", "host name"])
def test_a_context_that_does_not_verify_is_warned_of(blind: str) -> None:
    """An ``ssl`` context that verifies no server causes a warning at the caller's line."""
    context = ssl.create_default_context()
    context.check_hostname = False
    if blind == "certificate":
        context.verify_mode = ssl.CERT_NONE
    with pytest.warns(RuntimeWarning, match="does not verify the server") as caught:
        LinqClient(TOKEN, ssl=context)
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LinqClient(TOKEN, ssl=ssl.create_default_context())


UNUSABLE = [
    "https://a\\b",
    "https://[::1]x",
    "https://a\u200bb.example",
    "https://h?",
    "https://h#",
    "https://h/?",
    "https://@h",
    "https://h:99999",
    "https://h:x",
    "https://",
    "https://:443",
    "https://a b",
    "https://h\u3002/\\x",
    "https://ex\u00adample.com\ufeff",
    "https://-\ud800.example",
    "https://[::1]@",
    "https://xn--",
    "https://xn---.example",
]


@pytest.mark.parametrize("url", UNUSABLE)
def test_a_base_url_that_makes_no_request_is_refused(url: str) -> None:
    """A base URL that aiohttp rejects, or that would hide the path, is rejected by the constructor."""
    with pytest.raises(ConfigurationError):
        read_base_url(url, allow_http=True)


@pytest.mark.parametrize("proxy", ["http://a\\b", "http://[::1]x:3128", "http://a\u200bb:1", "http://h:99999"])
def test_a_proxy_that_makes_no_request_is_refused(proxy: str) -> None:
    """A proxy URL that aiohttp rejects is rejected by the constructor."""
    with pytest.raises(ConfigurationError):
        read_proxy(proxy, "https://api.linqapp.com")


@pytest.mark.parametrize(
    "url", ["https://bücher.example", "https://h_x.example/a%2Fb/", "https://[2001:db8::1]:8443/linq", "HTTPS://H"]
)
def test_an_unusual_base_url_serves(url: str) -> None:
    """International names, IP addresses, path prefixes and capitals are accepted."""
    assert read_base_url(url, allow_http=False) == url.rstrip("/")


PIECES = st.lists(
    st.sampled_from(
        [*"ab.:/\\@?#[]%&=;-_~ \t\n\x00é\u200b\u3002\uff0f\ud800", "%2e", "::1", "localhost", "443", "xn--"]
    ),
    max_size=8,
).map("".join)


@given(st.sampled_from(["https://", "http://", "https:", "HTTPS://h", "https://h"]), PIECES)
@settings(max_examples=300, derandomize=True, deadline=None)
def test_whatever_base_url_passes_makes_requests(scheme: str, rest: str) -> None:
    """A base URL is either a ConfigurationError, or requests go to its host, below its path."""
    try:
        url = read_base_url(scheme + rest, allow_http=True)
    except ConfigurationError:
        return
    target = URL(url + "/api/partner/v2/chats")
    assert target.path.endswith("/api/partner/v2/chats")
    assert (target.scheme, target.query_string, target.fragment, target.user) == (urlsplit(url).scheme, "", "", None)
    assert target.raw_host == URL(url).raw_host
    assert target.authority


def test_http_through_a_far_proxy_must_be_asked_for() -> None:
    """A remote proxy for an http base URL, which would see the token in clear text, needs ``allow_http``."""
    base, far = "http://127.0.0.1:8080", "http://proxy.example:3128"
    with pytest.raises(ConfigurationError, match="allow_http=True"):
        LinqClient(TOKEN, base_url=base, proxy=far)
    for client in (
        LinqClient(TOKEN, base_url=base, proxy=far, allow_http=True),
        LinqClient(TOKEN, base_url="https://api.linqapp.com", proxy=far),
    ):
        assert client._pipeline.settings.proxy == far
    assert read_proxy("http://127.0.0.1:3128", base) == "http://127.0.0.1:3128"
    assert read_proxy("https://proxy.example", base) == "https://proxy.example"


def test_timing_is_given_and_kept() -> None:
    """A client and those derived from it wait with the ``timing`` of the constructor."""
    timing = Timing(random=lambda: 0.5)
    linq = LinqClient(TOKEN, timing=timing)
    derived = linq.with_options(token="another-token", retry=RetryPolicy.none())
    assert [client._pipeline.timing for client in (linq, derived, LinqClient(TOKEN))] == [timing, timing, Timing()]
    with pytest.raises(InvalidArgumentError, match="timing must be a Timing"):
        LinqClient(TOKEN, timing=1.0)  # type: ignore[arg-type]


class _Named(LinqClient):
    def __init__(self, name: str) -> None:
        super().__init__(TOKEN)
        self.name = name


def test_a_derived_client_keeps_what_a_subclass_set() -> None:
    """A client derived from a subclass has its class, its attributes and its own settings."""
    linq = _Named("billing")
    derived = linq.with_options(token="another-token")
    assert isinstance(derived, _Named)
    assert derived.name == "billing"
    assert derived.chats is not linq.chats
    assert [client._pipeline.settings.token for client in (linq, derived)] == [TOKEN, "another-token"]
