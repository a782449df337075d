"""A failed construction of a client shows no secret, whichever reporter prints its locals.

The reporters print only the frames of the package, because those of the tests hold the canaries.
"""

from __future__ import annotations

import asyncio
import copy
import importlib.util
import io
import pickle
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
import pytest
from rich.console import Console
from rich.traceback import Traceback

import linq_async
from linq_async import ConfigurationError, InvalidArgumentError, LinqClient, LinqError

CANARY = "canary-token-5e1f"
PACKAGE = str(Path(linq_async.__file__).parent)
Reporter = Callable[[BaseException], str]


class Odd(Mapping[str, str]):
    """A mapping whose methods raise and whose frames hold a secret."""

    def __getitem__(self, name: str) -> str:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter([CANARY])

    def __len__(self) -> int:
        return 1


def _in_session(**options: Any) -> None:
    """Pass a session to a client on a new loop."""

    async def construct() -> None:
        async with aiohttp.ClientSession(**options) as session:
            LinqClient(CANARY, session=session, base_url="http://127.0.0.1:1")

    asyncio.run(construct())


def _derive(**options: Any) -> None:
    LinqClient(CANARY, headers={"X-Api-Key": CANARY}).with_options(**options)


Build = Callable[[], object]
WRONG_TYPES: dict[str, Any] = dict.fromkeys(["base_url", "proxy", "headers", "ssl", "on_attempt", "on_call"], CANARY)
FAILURES: dict[str, Build] = {
    "token": lambda: LinqClient(CANARY + "\n"),
    "token of another type": lambda: LinqClient([CANARY]),  # type: ignore[arg-type]
    "base URL": lambda: LinqClient(CANARY, base_url=f"https://user:{CANARY}@127.0.0.1"),
    "no URL": lambda: LinqClient(CANARY, base_url=CANARY),
    "http": lambda: LinqClient(CANARY, base_url="http://api.linqapp.com"),
    "proxy": lambda: LinqClient(CANARY, proxy=f"socks5://user:{CANARY}@127.0.0.1"),
    "proxy in clear text": lambda: LinqClient(
        CANARY, base_url="http://127.0.0.1:1", proxy=f"http://user:{CANARY}@proxy.example"
    ),
    "header": lambda: LinqClient(CANARY, headers={"X-Api-Key": CANARY + "\n"}),
    "no mapping": lambda: LinqClient(CANARY, headers=[CANARY]),  # type: ignore[arg-type]
    "mapping that raises": lambda: LinqClient(CANARY, headers=Odd()),
    "no session": lambda: LinqClient(session=CANARY, token=CANARY),  # type: ignore[arg-type]
    "wrong types": lambda: LinqClient(CANARY, **WRONG_TYPES),
    "external session's header": lambda: _in_session(headers={"X-LINQ-INTEGRATION-TOKEN": CANARY}),
    "external session's proxy": lambda: _in_session(proxy=f"http://user:{CANARY}@127.0.0.1:1"),
    "with_options(token=)": lambda: _derive(token=CANARY + " "),
    "with_options(headers=)": lambda: _derive(headers={"X-Api-Key": CANARY + "\x00"}),
    "with_options(retry=)": lambda: _derive(retry=CANARY, timeouts=CANARY, on_attempt=CANARY, on_call=CANARY),
}


def _standard(error: BaseException) -> str:
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def _rich(error: BaseException) -> str:
    shown = Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True, width=400)
    console = Console(file=io.StringIO(), width=400)
    console.print(shown)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def _cgitb(error: BaseException) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import cgitb
    assert error.__traceback__ is not None
    return cgitb.text((type(error), error, error.__traceback__))


REPORTERS: list[Reporter] = [_standard, _rich, *([_cgitb] if importlib.util.find_spec("cgitb") else [])]


def _below_the_test(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(PACKAGE):
        trace = trace.tb_next
    return trace


def _failure(build: Build) -> LinqError:
    with pytest.raises(LinqError) as caught:
        build()
    trace = _below_the_test(caught.value.__traceback__)
    assert trace is not None
    return caught.value.with_traceback(trace)


def _cleaned(text: str) -> list[str]:
    """Return the lines that contain the canary, with the canary replaced."""
    return [line.replace(CANARY, "<CANARY>").strip() for line in text.splitlines() if CANARY in line]


@pytest.mark.parametrize("reporter", REPORTERS)
@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_construction_shows_no_secret(reporter: Reporter, name: str) -> None:
    """A failed construction shows no token, password or header in its frames or its error."""
    error = _failure(FAILURES[name])
    assert isinstance(error, ConfigurationError | InvalidArgumentError)
    shown = reporter(error)
    assert type(error).__name__ in shown
    assert _cleaned(shown) == []
    assert error.__context__ is error.__cause__ is None


@pytest.mark.parametrize("reporter", REPORTERS)
@pytest.mark.parametrize("variable", ["LINQ_INTEGRATION_TOKEN", "LINQ_BASE_URL", "HTTPS_PROXY"])
def test_a_bad_variable_shows_no_secret(monkeypatch: pytest.MonkeyPatch, reporter: Reporter, variable: str) -> None:
    """Values from the environment are as absent from a traceback as arguments."""
    for name in ("NO_PROXY", "no_proxy", "https_proxy", "LINQ_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LINQ_INTEGRATION_TOKEN", CANARY)
    monkeypatch.setenv(variable, f"x://user:{CANARY}\n@h")
    assert _cleaned(reporter(_failure(LinqClient))) == []


@pytest.mark.parametrize("reporter", REPORTERS)
def test_the_reporters_show_locals(reporter: Reporter) -> None:
    """Each reporter shows a secret that is in a local variable."""

    def leak() -> None:
        held = CANARY
        raise KeyError(len(held), held[:0])

    with pytest.raises(KeyError) as caught:
        leak()
    assert _cleaned(reporter(caught.value)) != []


def test_a_client_that_is_not_built_has_a_repr() -> None:
    """The repr of a client that is not fully built raises nothing, because reporters may print it."""
    half = object.__new__(LinqClient)
    assert repr(half) == "<LinqClient, not built>"


Copy = Callable[[Any], object]
COPIES: list[Copy] = [copy.copy, copy.deepcopy, *[lambda one, n=n: pickle.dumps(one, n) for n in range(6)]]


@pytest.mark.parametrize("way", COPIES)
def test_a_client_is_neither_pickled_nor_copied(way: Copy) -> None:
    """Pickling or copying a client or its settings is a TypeError that says what to do instead."""

    class Own(LinqClient):
        pass

    linq = LinqClient(CANARY)
    held = [linq, Own(CANARY), linq.with_options(token="other"), linq._pipeline.settings, [linq]]
    if way is not copy.copy:
        held += [linq.chats, linq._pipeline, linq._pipeline.transport]
    for one in held[: 4 if way is copy.copy else None]:
        with pytest.raises(TypeError, match=r"with_options\(\)") as caught:
            way(one)
        assert CANARY not in str(caught.value)


def test_the_reporter_of_old_interpreters_is_tried() -> None:
    """``cgitb`` is one of the reporters up to Python 3.12, the last release that has it."""
    assert (_cgitb in REPORTERS) is (sys.version_info < (3, 13))
