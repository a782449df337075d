"""Tests of ``linq-async doctor``: each problem fails the check that it belongs to."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from linq_async.cli.checks import check_clock
from linq_async.errors import ServerError
from linq_async.sandbox import Sandbox

from .conftest import TOKEN, Run


def run_doctor(run: Run, env: dict[str, str], *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run the command, and return its exit code and the checks by name."""
    result = run("doctor", "--json", *arguments, env=env)
    report = json.loads(result.stdout)
    assert report["ok"] == (result.exit_code == 0)
    assert TOKEN not in result.output
    return result.exit_code, {check["name"]: check for check in report["checks"]}


def levels(checks: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the level of each check."""
    return {name: check["level"] for name, check in checks.items()}


def test_all_checks_pass(run: Run, sandbox_env: dict[str, str]) -> None:
    """With a valid token and a server, every check is ok, the versions are shown, and the exit code is 0."""
    result = run("doctor", env=sandbox_env)
    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["ok"] * 6
    assert "linq_async" in result.stdout
    assert "2 numbers to send from" in result.stdout
    assert TOKEN not in result.output


def test_no_token(run: Run, sandbox: Sandbox) -> None:
    """Without a token the server is still checked, and only the token check fails."""
    code, checks = run_doctor(run, {"LINQ_BASE_URL": sandbox.base_url})
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
def test_malformed_token(run: Run, sandbox: Sandbox, token: str) -> None:
    """A token that cannot be sent in a header fails the check, and is not shown."""
    result = run("doctor", env={"LINQ_BASE_URL": sandbox.base_url, "LINQ_INTEGRATION_TOKEN": token})
    assert result.exit_code == 1
    assert "whitespace, a control character or a non-ASCII character" in result.stdout
    assert token not in result.output


@pytest.mark.parametrize("quote", ["'", '"'])
def test_token_in_quotes(run: Run, sandbox: Sandbox, quote: str) -> None:
    """A token in quotes, as from a file that no shell has read, gets a hint to remove them, and is not shown."""
    env = {"LINQ_BASE_URL": sandbox.base_url, "LINQ_INTEGRATION_TOKEN": f"{quote}{TOKEN}{quote}"}
    code, checks = run_doctor(run, env)
    assert (code, checks["token"]["level"], checks["access"]["level"]) == (1, "warning", "failed")
    assert checks["token"]["hint"] == "remove the quotes around the token"


def test_missing_token_file(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """A missing token file fails the check, even if the environment has a token."""
    env = {"LINQ_BASE_URL": sandbox.base_url, "LINQ_INTEGRATION_TOKEN": TOKEN}
    code, checks = run_doctor(run, env, "--token-file", str(tmp_path / "none"))
    assert (code, checks["token"]["level"]) == (1, "failed")


def test_rejected_token(run: Run, sandbox: Sandbox) -> None:
    """A 401 fails the access check, not the server check."""
    code, checks = run_doctor(run, {"LINQ_BASE_URL": sandbox.base_url, "LINQ_INTEGRATION_TOKEN": "a-wrong-one"})
    assert code == 1
    assert (checks["server"]["level"], checks["access"]["level"]) == ("ok", "failed")
    assert "401" in checks["access"]["detail"]


def test_connection_refused(run: Run) -> None:
    """A refused connection fails the server check, with a hint."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        env = {"LINQ_BASE_URL": f"http://127.0.0.1:{unused.getsockname()[1]}", "LINQ_INTEGRATION_TOKEN": TOKEN}
        code, checks = run_doctor(run, env)
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
def test_invalid_base_url(run: Run, url: str) -> None:
    """A base URL that the client rejects fails the check, and no request is made."""
    code, checks = run_doctor(run, {"LINQ_BASE_URL": url, "LINQ_INTEGRATION_TOKEN": TOKEN})
    assert (code, levels(checks)) == (1, {"token": "ok", "base URL": "failed"})


def test_base_url_without_a_scheme(run: Run) -> None:
    """A base URL without a scheme fails the check with a hint that names the scheme."""
    code, checks = run_doctor(run, {"LINQ_BASE_URL": "api.linqapp.com", "LINQ_INTEGRATION_TOKEN": TOKEN})
    assert (code, checks["base URL"]["level"]) == (1, "failed")
    assert checks["base URL"]["hint"] == "LINQ_BASE_URL must begin with https://"


@pytest.mark.parametrize(
    ("status", "body", "check", "level"),
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
def test_other_responses(
    run: Run, sandbox: Sandbox, sandbox_env: dict[str, str], status: int, body: object, check: str, level: str
) -> None:
    """Each kind of response fails its own check, and each check that is not ok has a hint."""
    sandbox.faults.answer(status, json=body)
    code, checks = run_doctor(run, sandbox_env)
    assert checks[check]["level"] == level
    assert checks[check]["hint"]
    assert code == (1 if level == "failed" else 0)
    assert len(sandbox.requests) == (2 if status == 200 else 1)


@pytest.mark.parametrize(
    ("secret", "level", "words"),
    [
        ("a-long-random-string", "ok", "is set (not checked)"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "warning", "begins with whsec_"),
        (" a-long-random-string", "warning", "whitespace"),
        ("", "warning", "is blank"),
    ],
)
def test_webhook_secret(run: Run, sandbox_env: dict[str, str], secret: str, level: str, words: str) -> None:
    """A secret that cannot be right is a warning with a hint, and is not shown."""
    code, checks = run_doctor(run, {**sandbox_env, "LINQ_WEBHOOK_SECRET": secret})
    check = checks["webhooks"]
    assert (code, check["level"], check["hint"] is None) == (0, level, level == "ok")
    assert words in check["detail"]
    assert len(secret) < 10 or secret.strip() not in str(checks)


@pytest.mark.parametrize("active", [True, False])
def test_missing_webhook_secret(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str], *, active: bool) -> None:
    """A missing secret is a warning if the account has an active subscription, and not mentioned otherwise."""
    subscription = asyncio.run(sandbox.subscribe("https://hooks.example.com/linq"))
    if not active:
        asyncio.run(sandbox.unsubscribe(subscription))
    code, checks = run_doctor(run, sandbox_env)
    assert (code, "webhooks" in checks) == (0, active)
    if active:
        assert checks["webhooks"]["detail"] == "1 active subscription, but LINQ_WEBHOOK_SECRET is not set"


@pytest.mark.parametrize("body", [[], {"webhook_subscriptions": {}}, {"webhook_subscriptions": [1, {"active": "x"}]}])
def test_odd_subscriptions(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str], body: object) -> None:
    """A list of subscriptions that is none is not mentioned."""
    sandbox.faults.answer(200, json=body, path="/webhook_subscriptions")
    code, checks = run_doctor(run, sandbox_env)
    assert (code, "webhooks" in checks) == (0, False)


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [(30, "ok", "agrees"), (61, "warning", "61 s ahead"), (-300, "warning", "300 s behind")],
)
def test_clock(seconds: int, level: str, words: str) -> None:
    """A clock that is off by more than a minute, either way, is a warning."""
    now = float(int(time.time()))
    error = ServerError(status=503, headers={"date": formatdate(now, usegmt=True)})
    check = check_clock(error, now + seconds)
    assert check.level == level
    assert words in check.detail


@pytest.mark.parametrize("proxy", ["h:3128", "socks5://proxy.example:1080", "://"])
def test_invalid_proxy(run: Run, proxy: str) -> None:
    """A proxy that the client rejects fails its own check, and no request is made."""
    env = {"LINQ_BASE_URL": "https://linq.example", "LINQ_INTEGRATION_TOKEN": TOKEN, "HTTPS_PROXY": proxy}
    code, checks = run_doctor(run, env)
    assert (code, levels(checks)) == (1, {"token": "ok", "base URL": "ok", "proxy": "failed"})
    assert "HTTPS_PROXY" in checks["proxy"]["hint"]


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}, {"date": "Sun, 06 Nov 1994 08:49:37 +99999999999999"}])
def test_missing_or_invalid_date(headers: dict[str, str]) -> None:
    """Without a valid Date header the clock check is skipped."""
    assert check_clock(ServerError(status=503, headers=headers)).level == "skipped"
