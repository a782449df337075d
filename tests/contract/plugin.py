"""A pytest plugin: every exchange with a sandbox is checked against the contract.

Switch it on by naming it in `pytest_plugins` of tests/conftest.py, as `tests.contract.plugin`. A test during which an
exchange is outside the contract fails. One that intends it says so, and names the place:

    @pytest.mark.off_contract("a kind of reaction that is not documented", "request.body")

or `with off_contract("...", "request.body"):` from `contract.recorder` around a few lines. An exemption that nothing
needs fails, too, unless `strict=False` is given. Answers that a test scripts by `sandbox.faults` need no exemption:
scripting one says it. Their requests are checked all the same.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from .recorder import Exemption, Recorder, start, stop

MARKER = "off_contract(reason, *places, strict=True): exchanges of this test may be outside the contract there"
RECORDER = pytest.StashKey[Recorder]()
EXEMPTIONS = pytest.StashKey[list[Exemption]]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark, and start recording."""
    config.addinivalue_line("markers", MARKER)
    config.stash[RECORDER] = start()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop recording."""
    stop(config.stash[RECORDER])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Add the exemptions of the test's marks."""
    recorder = item.config.stash[RECORDER]
    recorder.failures()
    found = [_exemption(mark) for mark in item.iter_markers("off_contract")]
    item.stash[EXEMPTIONS] = found
    recorder.exemptions += found


def _exemption(mark: pytest.Mark) -> Exemption:
    reason, *places = mark.args
    return Exemption(reason, tuple(places), **mark.kwargs)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passed outside the contract; one that failed reports it beside its own failure."""
    recorder = item.config.stash[RECORDER]
    try:
        result = yield
    except BaseException:
        found = recorder.failures()
        if found:
            item.add_report_section("call", "contract", "\n".join(str(one) for one in found))
        raise
    recorder.raise_failures()
    for exemption in item.stash[EXEMPTIONS]:
        exemption.check_use()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Remove the exemptions, and fail for what happened since the end of the test."""
    recorder = item.config.stash[RECORDER]
    try:
        return (yield)
    finally:
        for exemption in item.stash.get(EXEMPTIONS, list[Exemption]()):
            recorder.exemptions.remove(exemption)
        recorder.raise_failures()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print how many exchanges were checked against the contract."""
    counts = config.stash[RECORDER].counts
    if counts["exchanges"]:
        summary = ", ".join(f"{count} {name}" for name, count in counts.items())
        terminalreporter.write_line(f"contract: {summary}")
