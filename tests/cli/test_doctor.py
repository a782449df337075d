"""``linq-async doctor``: each fault is found, and told apart from the others."""

from __future__ import annotations

import json
import socket
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from linq_async.cli.findings import clock_finding
from linq_async.errors import ServerError
from linq_async.sandbox import Sandbox

from .conftest import TOKEN, Run


def findings(run: Run, env: dict[str, str], *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit code, and the checks by their names."""
    result = run("doctor", "--json", *arguments, env=env)
    told = json.loads(result.stdout)
    assert told["ok"] == (result.exit_code == 0)
    assert TOKEN not in result.output
    return result.exit_code, {check["name"]: check for check in told["checks"]}


def levels(checks: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the level of each check."""
    return {name: check["level"] for name, check in checks.items()}


def test_all_is_well(run: Run, to_sandbox: dict[str, str]) -> None:
    """With a right token and a server, every line says ok, the versions are named, and the exit code is 0."""
    result = run("doctor", env=to_sandbox)
    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["ok"] * 6
    assert "linq_async" in result.stdout
    assert "2 numbers to send from" in result.stdout
    assert TOKEN not in result.output


def test_no_token(run: Run, sandbox: Sandbox) -> None:
    """Without a token the server is still asked, and only the token is at fault."""
    code, checks = findings(run, {"LINQ_BASE_URL": sandbox.base_url})
    assert code == 1
    assert levels(checks) == {
        "token": "failed",
        "base URL": "ok",
        "server": "ok",
        "access": "skipped",
        "clock": "ok",
    }
    assert "LINQ_INTEGRATION_TOKEN" in checks["token"]["detail"]
    assert checks["token"]["hint"]


@pytest.mark.parametrize("token", ["two words", "tab\t", "nön-ascii"])
def test_a_malformed_token(run: Run, sandbox: Sandbox, token: str) -> None:
    """A token that no header can carry is told, and is not shown."""
    result = run("doctor", env={"LINQ_BASE_URL": sandbox.base_url, "LINQ_INTEGRATION_TOKEN": token})
    assert result.exit_code == 1
    assert "whitespace, a control character or a non-ASCII character" in result.stdout
    assert token not in result.output


def test_a_token_file_that_is_missing(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """A token file that is not there is told, whatever the environment holds."""
    env = {"LINQ_BASE_URL": sandbox.base_url, "LINQ_INTEGRATION_TOKEN": TOKEN}
    code, checks = findings(run, env, "--token-file", str(tmp_path / "none"))
    assert (code, checks["token"]["level"]) == (1, "failed")


def test_a_token_that_is_not_accepted(run: Run, sandbox: Sandbox) -> None:
    """A 401 is told apart from a server that is not there."""
    code, checks = findings(run, {"LINQ_BASE_URL": sandbox.base_url, "LINQ_INTEGRATION_TOKEN": "a-wrong-one"})
    assert code == 1
    assert (checks["server"]["level"], checks["access"]["level"]) == ("ok", "failed")
    assert "401" in checks["access"]["detail"]


def test_nothing_listens(run: Run) -> None:
    """A refused connection is the server's finding with a hint on how to fix it."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        env = {"LINQ_BASE_URL": f"http://127.0.0.1:{unused.getsockname()[1]}", "LINQ_INTEGRATION_TOKEN": TOKEN}
        code, checks = findings(run, env)
    assert code == 1
    assert levels(checks) == {
        "token": "ok",
        "base URL": "ok",
        "server": "failed",
        "access": "skipped",
        "clock": "skipped",
    }
    assert "nothing listens" in checks["server"]["hint"]


@pytest.mark.parametrize("url", ["http://example.com", "ftp://example.com", "not a url"])
def test_a_bad_base_url(run: Run, url: str) -> None:
    """A base URL that the client refuses is told, and nothing is asked."""
    code, checks = findings(run, {"LINQ_BASE_URL": url, "LINQ_INTEGRATION_TOKEN": TOKEN})
    assert (code, levels(checks)) == (1, {"token": "ok", "base URL": "failed"})


@pytest.mark.parametrize(
    ("status", "answer", "check", "level"),
    [
        (403, None, "access", "failed"),
        (404, None, "server", "failed"),
        (301, None, "server", "failed"),
        (429, None, "server", "failed"),
        (503, None, "server", "failed"),
        (200, {"hello": "world"}, "server", "failed"),
        (200, {"phone_numbers": []}, "access", "warning"),
    ],
)
def test_other_answers(
    run: Run, sandbox: Sandbox, to_sandbox: dict[str, str], status: int, answer: object, check: str, level: str
) -> None:
    """Each kind of answer has a finding of its own, and each finding that is not ok has a hint."""
    sandbox.faults.answer(status, json=answer)
    code, checks = findings(run, to_sandbox)
    assert checks[check]["level"] == level
    assert checks[check]["hint"]
    assert code == (1 if level == "failed" else 0)
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [(30, "ok", "agrees"), (61, "warning", "61 s ahead"), (-300, "warning", "300 s behind")],
)
def test_the_clock(seconds: int, level: str, words: str) -> None:
    """A clock that is more than a minute off, either way, is a warning."""
    now = float(int(time.time()))
    error = ServerError(status=503, headers={"date": formatdate(now, usegmt=True)})
    finding = clock_finding(error, now + seconds)
    assert finding.level == level
    assert words in finding.detail


@pytest.mark.parametrize("proxy", ["h:3128", "socks5://proxy.example:1080", "://"])
def test_an_unusable_proxy(run: Run, proxy: str) -> None:
    """A proxy in the environment that the client refuses is told, and nothing is asked."""
    env = {"LINQ_BASE_URL": "https://linq.example", "LINQ_INTEGRATION_TOKEN": TOKEN, "HTTPS_PROXY": proxy}
    code, checks = findings(run, env)
    assert (code, levels(checks)) == (1, {"token": "ok", "base URL": "ok", "proxy": "failed"})
    assert "HTTPS_PROXY" in checks["proxy"]["hint"]


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}, {"date": "Sun, 06 Nov 1994 08:49:37 +99999999999999"}])
def test_no_date(headers: dict[str, str]) -> None:
    """A server that tells no time is no fault."""
    assert clock_finding(ServerError(status=503, headers=headers)).level == "skipped"
