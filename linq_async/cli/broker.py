"""The server of a queue, for ``linq-async doctor`` and ``linq-async queue``. Its URL is never shown."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

from redis import exceptions
from redis.asyncio import Redis

from linq_async.cli.checks import Check, Level
from linq_async.errors import ConfigurationError
from linq_async.integrations.taskiq import DeadLetters

SECONDS = 5.0
"""The time limit for the server to accept a connection, and to respond."""
_OLDEST = (7, 0)
_UNUSABLE = (exceptions.RedisError, OSError)


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[Any]:
    """Connect to a server until the block is left.

    Raises:
        ConfigurationError: If the URL is invalid, or the server cannot be used.
    """
    invalid = "the URL of the broker is invalid: it must be redis://, rediss:// or unix://"
    problem = None
    try:
        limits = {"socket_connect_timeout": SECONDS, "socket_timeout": SECONDS}
        client: Any = cast("Any", Redis).from_url(url, protocol=2, **limits)
    except Exception:  # noqa: BLE001  # its text may repeat the password
        raise ConfigurationError(invalid) from None
    try:
        async with client:
            yield client
    except _UNUSABLE as error:
        problem = f"the broker cannot be used: {type(error).__name__}"
    if problem is not None:
        raise ConfigurationError(problem)


async def check_broker(url: str, queue: str) -> list[Check]:
    """Check what a queue needs of its server: that it responds, is new enough, and forgets nothing."""
    try:
        async with connected(url) as redis:
            info: dict[str, Any] = await redis.info("everything")
            settings = await redis.hgetall(f"{queue}:settings")
            letters = DeadLetters(redis, queue)
            dead = await letters.count(), await letters.count_undecodable()
            length = await redis.xlen(queue)
            fsync = await _fsync(redis)
    except ConfigurationError as error:
        hint = "check --broker, the network, and that the key of the queue belongs to nothing else"
        return [Check("broker", Level.FAILED, error.message, hint)]
    return [_version(info), _persistence(info, fsync), _eviction(info), _idle(settings), _length(length, *dead)]


async def _fsync(redis: Any) -> str | None:
    """Return when the server writes to disk; None if it does not say so, as hosted ones do not."""
    try:
        found: dict[str, str] = await redis.config_get("appendfsync")
    except exceptions.ResponseError:
        return None
    return found.get("appendfsync")


def _version(info: dict[str, Any]) -> Check:
    name = "valkey" if "valkey_version" in info else "redis"
    version = str(info[f"{name}_version"])
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < _OLDEST:
        return Check("broker", Level.FAILED, f"{name} {version} is too old", "use Valkey, or Redis 7.0 or later")
    return Check("broker", Level.OK, f"{name} {version}")


def _persistence(info: dict[str, Any], fsync: str | None) -> Check:
    if not info.get("aof_enabled"):
        detail = "appendonly is off: a restart of the server loses messages"
        return Check("storage", Level.FAILED, detail, "set appendonly yes and appendfsync always")
    if fsync is None:
        return Check("storage", Level.OK, "appendonly is on; the server does not say when it writes to disk")
    if fsync != "always":
        detail = f"appendfsync is {fsync}: a power cut loses the messages of the last second or more"
        return Check("storage", Level.WARNING, detail, "set appendfsync always")
    return Check("storage", Level.OK, "appendonly is on, appendfsync is always")


def _eviction(info: dict[str, Any]) -> Check:
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        hint = "set maxmemory-policy noeviction: a full server then refuses messages, and their callers know it"
        return Check(
            "eviction", Level.FAILED, f"maxmemory-policy is {policy}: a full server may delete the queue", hint
        )
    return Check("eviction", Level.OK, "maxmemory-policy is noeviction")


def _idle(settings: dict[bytes, bytes]) -> Check:
    if not settings:
        return Check("idle time", Level.SKIPPED, "not checked, because no worker has started yet")
    idle, deadline = (int(settings[name]) / 1000 for name in (b"idle_timeout", b"deadline"))
    detail = f"idle_timeout is {idle:g} s, and a send may take {deadline:g} s"
    if idle < deadline:
        return Check("idle time", Level.FAILED, detail, "raise idle_timeout, or two workers send a message at once")
    return Check("idle time", Level.OK, detail)


def _length(length: int, dead: int, undecodable: int) -> Check:
    detail = f"{length} messages wait or are under way, {dead} dead letters, {undecodable} undecodable"
    if dead or undecodable:
        return Check("queue", Level.WARNING, detail, "see linq-async queue dead")
    return Check("queue", Level.OK, detail)
