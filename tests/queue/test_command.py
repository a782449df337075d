"""``linq-async queue``, and ``doctor --broker``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from linq_async import Outcome
from linq_async.cli import broker as broker_module
from linq_async.integrations.taskiq import DeadLetter, ReclaimingBroker, register
from tests.cli.conftest import Run, run, sandbox, sandbox_env

from .valkey import Valkey
from .world import PERSON, TEXT, hello

__all__ = ["run", "sandbox", "sandbox_env"]

QUEUE = "commands"


@pytest.fixture
def db(valkey: Valkey) -> Iterator[Any]:
    """Give a client of the server, without keys of earlier tests."""
    asyncio.run(valkey.started())
    with cast("Any", Redis).from_url(valkey.url) as client:
        client.flushall()
        yield client
        client.flushall()
        client.config_set("maxmemory-policy", "noeviction")


def bury(valkey: Valkey, key: str, outcome: Outcome) -> None:
    """Make a dead letter of a message."""

    async def main() -> None:
        broker = ReclaimingBroker(valkey.url, QUEUE)
        await register(broker, lambda: pytest.fail("no client")).create_chat(hello(idempotency_key=key))
        redis: Any = broker.dead_letters._redis
        ((message_id, fields),) = await redis.xrange(QUEUE)
        await redis.xdel(QUEUE, message_id)
        data = fields[b"data"].decode()
        fate = {"outcome": outcome, "error": "BadRequestError", "status": 400, "attempts": 1, "at": 0.0}
        await broker.dead_letters.add(DeadLetter(key=key, operation="chats.create", data=data, **fate))  # type: ignore[arg-type]
        await broker.shutdown()

    asyncio.run(main())


def test_dead_letters(run: Run, valkey: Valkey, db: Any) -> None:
    """The letters are shown without texts and numbers, and those that were not sent are enqueued again."""
    env = {"LINQ_BROKER": valkey.url}
    bury(valkey, "visit-7", Outcome.NOT_SENT)
    bury(valkey, "visit-8", Outcome.UNKNOWN)
    shown = run("queue", "dead", "--queue", QUEUE, env=env)
    assert "visit-7  1970-01-01 00:00:00Z  chats.create  not_sent  BadRequestError 400" in shown.output
    assert shown.output.splitlines()[-1] == "2 dead letters, 0 undecodable bodies"
    report = json.loads(run("queue", "dead", "--queue", QUEUE, "--json", env=env).stdout)
    assert {letter["key"]: letter["outcome"] for letter in report["dead_letters"]} == {
        "visit-7": "not_sent",
        "visit-8": "unknown",
    }
    assert not [word for word in (TEXT, PERSON[1:]) if word in shown.output + json.dumps(report)]
    (retried,) = json.loads(run("queue", "retry", "--queue", QUEUE, "--json", env=env).stdout)["retried"]
    assert retried["key"] == "visit-7"
    assert retried["new_key"].encode() in db.xrange(QUEUE)[0][1][b"data"]
    assert run("queue", "retry", "visit-8", "--queue", QUEUE, env=env).output == "0 messages are in the queue again\n"
    assert run("queue", "delete", "visit-8", "--queue", QUEUE, env=env).output == "1 deleted\n"
    assert run("queue", "delete", "visit-8", "--queue", QUEUE, "--json", env=env).output == '{\n  "deleted": 0\n}\n'


def test_retry_shows_the_new_keys(run: Run, valkey: Valkey, db: Any) -> None:
    """Each line has the old key and the new one."""
    bury(valkey, "visit-7", Outcome.NOT_SENT)
    shown = run("queue", "retry", "visit-7", "--queue", QUEUE, "--broker", valkey.url).output.splitlines()
    assert shown[0].startswith("visit-7 -> ")
    assert shown[1:] == ["1 messages are in the queue again"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing option: --broker (or LINQ_BROKER)."),
        (["--broker", "redis://:p4ssword@127.0.0.1:1"], "the broker cannot be used: ConnectionError"),
        (["--broker", "redis://:p4ss:word@127.0.0.1:p4ssword"], "the URL of the broker is invalid"),
        (["--broker", "p4ssword"], "the URL of the broker is invalid"),
    ],
)
def test_no_broker(run: Run, arguments: list[str], message: str) -> None:
    """What is wrong is one line, without the password."""
    result = run("queue", "dead", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "p4ss" not in result.output + result.stderr


def test_without_the_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands say what to install."""
    monkeypatch.setattr("linq_async.cli.queue.find_spec", dict[str, None]().get)
    for command in (["queue", "dead"], ["doctor"]):
        assert "pip install 'linq_async[taskiq]'" in run(*command, "--broker", "redis://localhost").stderr


def checks(run: Run, env: dict[str, str], url: str) -> dict[str, tuple[str, str]]:
    """Return the level and the text of each check of the broker."""
    found = json.loads(run("doctor", "--json", "--queue", QUEUE, "--broker", url, env=env).stdout)["checks"]
    names = {"broker", "storage", "eviction", "idle time", "queue"}
    return {check["name"]: (check["level"], check["detail"]) for check in found if check["name"] in names}


def test_doctor(run: Run, valkey: Valkey, db: Any, sandbox_env: dict[str, str]) -> None:
    """A server that may forget messages fails, and so does an idle time-out that is shorter than a send."""
    db.config_set("maxmemory-policy", "allkeys-lru")
    db.hset(f"{QUEUE}:settings", mapping={"idle_timeout": 60_000, "deadline": 180_000})
    bury(valkey, "visit-7", Outcome.NOT_SENT)
    found = checks(run, sandbox_env, valkey.url)
    assert {name: level for name, (level, _) in found.items()} == {
        "broker": "ok",
        "storage": "failed",
        "eviction": "failed",
        "idle time": "failed",
        "queue": "warning",
    }
    assert found["broker"][1].startswith("valkey 9.")
    assert found["idle time"][1] == "idle_timeout is 60 s, and a send may take 180 s"


def test_doctor_is_content(run: Run, tmp_path: Path, sandbox_env: dict[str, str]) -> None:
    """A server that is set up for a queue passes; how often it writes to disk is checked."""
    server = Valkey(tmp_path, "--appendonly", "yes", "--appendfsync", "everysec")
    server.start()
    try:
        asyncio.run(server.started())
        assert checks(run, sandbox_env, server.url)["storage"][0] == "warning"
        with cast("Any", Redis).from_url(server.url) as client:
            client.config_set("appendfsync", "always")
            client.hset(f"{QUEUE}:settings", mapping={"idle_timeout": 600_000, "deadline": 180_000})
            assert {level for level, _ in checks(run, sandbox_env, server.url).values()} == {"ok"}
            client.acl_setuser("hosted", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-config"])
        hosted = server.url.replace("//", "//hosted:p4ssword@")
        found = checks(run, sandbox_env, hosted)
        assert found["storage"] == ("ok", "appendonly is on; the server does not say when it writes to disk")
    finally:
        server.kill()
    ((level, detail),) = checks(run, sandbox_env, hosted).values()
    assert (level, detail) == ("failed", "the broker cannot be used: ConnectionError")


def test_doctor_of_an_old_server() -> None:
    """A server without the commands that a queue needs fails."""
    check = broker_module._version({"redis_version": "5.0.14"})
    assert (check.level, check.detail) == ("failed", "redis 5.0.14 is too old")
