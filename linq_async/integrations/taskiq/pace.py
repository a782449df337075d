"""One pace for each line, over all workers: a turn is reserved in one atomic step, on the clock of the server."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

from redis.asyncio import Redis

from linq_async.config import is_number
from linq_async.errors import InvalidArgumentError, Problem
from linq_async.timing import Timing

LONGEST_HOLD = 120.0
"""Seconds: the longest hold. A message that waits must not reach the idle time-out, or another worker gets it, too."""
_IMPOSSIBLE = int((LONGEST_HOLD + 1) * 1e6)
"""Microseconds until the end of a hold that cannot be: the clock of the server was set back."""
JITTER = 0.5
"""How far a start may be behind its turn, as a share of the gap. Linq advises against a fixed beat."""

_RESERVE = f"""#!lua flags=allow-oom
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local hold = redis.call('HMGET', KEYS[1], 'until', 'count')
local at = math.max(now, tonumber(hold[1] or '0'))
if at > now + {_IMPOSSIBLE} then at = now end
local count = hold[2] or '0'
if #KEYS == 2 then
  local line = redis.call('HMGET', KEYS[2], 'next', 'count')
  if line[2] == count then at = math.max(at, tonumber(line[1])) end
  local next = at + tonumber(ARGV[1])
  redis.call('HSET', KEYS[2], 'next', string.format('%.0f', next), 'count', count)
  redis.call('PEXPIRE', KEYS[2], math.ceil((next - now) / 1000) + 60000)
end
return {{string.format('%.0f', at - now), count}}
"""
"""Return the microseconds until the turn, and how many holds there were. A hold voids the turns reserved before it."""
_HOLD = f"""#!lua flags=allow-oom
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local wanted = now + tonumber(ARGV[1])
local held = tonumber(redis.call('HGET', KEYS[1], 'until') or '0')
if held < now or held > now + {_IMPOSSIBLE} or wanted > held + 1000000 then
  redis.call('HSET', KEYS[1], 'until', string.format('%.0f', wanted))
  redis.call('HINCRBY', KEYS[1], 'count', 1)
  redis.call('EXPIRE', KEYS[1], 86400)
end
"""
"""Hold all lines. Several workers that see the same limit void the turns once, not once for each."""


class Turn(Protocol):
    """What a worker asks before each send: a ``Pace``, or something of your own."""

    async def __call__(self, line: str | None) -> None:
        """Return when a message may be sent from a line; with None, when nothing is held."""
        ...

    async def hold(self, seconds: float) -> None:
        """Let no message of any line start for some seconds: the server has asked for a pause."""
        ...


class Pace:
    """Paces each line over all workers that use the same server and name."""

    def __init__(self, redis: Redis, per_second: float, *, name: str, timing: Timing) -> None:
        self._gap = 1 / per_second
        self._name = name
        self._timing = timing
        self._redis: Any = redis  # the stubs of hget() have no type for its result
        self._reserve = redis.register_script(_RESERVE)
        self._hold = redis.register_script(_HOLD)

    async def __call__(self, line: str | None) -> None:
        """Return when it is the line's turn. The gaps differ a little, and their mean is the pace.

        If a hold begins while this waits, the turn is void, and another one is reserved.
        """
        keys = [f"{self._name}:hold"] if line is None else [f"{self._name}:hold", f"{self._name}:line:{_digest(line)}"]
        while True:
            wait, count = await self._reserve(keys, [int(self._gap * 1e6)])
            seconds = int(wait) / 1e6 + (0 if line is None else self._timing.random() * JITTER * self._gap)
            if not seconds:
                return
            await self._timing.sleep(seconds)
            if (await self._redis.hget(keys[0], "count") or b"0") == count:
                return

    async def hold(self, seconds: float) -> None:
        """Hold all lines, for at most 120 seconds."""
        await self._hold([f"{self._name}:hold"], [int(min(seconds, LONGEST_HOLD) * 1e6)])


def _digest(line: str) -> str:
    """Return what identifies a number in a key, which servers log."""
    return hashlib.blake2b(line.encode(), digest_size=8).hexdigest()


def pace(redis: Redis, per_second: float, *, name: str = "linq:pace", timing: Timing = Timing()) -> Pace:  # noqa: B008
    """Return a pace for each line over all workers, for ``register(turn=...)``.

    A 429 that one worker gets holds the others, too.

    Args:
        redis: A client of the server that all workers use. It must not decode responses.
        per_second: Messages a second for each line. With n messages under way on a line, in all workers together, the
            last one waits for n / per_second, which must be well below the idle time-out of the broker.
        name: The beginning of the keys on the server. Workers with another name have a pace of their own.
        timing: The sleep and the random numbers; for tests.

    Raises:
        InvalidArgumentError: If the pace is not a number above 0.
    """
    if not is_number(per_second, above=0):
        raise InvalidArgumentError([Problem("per_second", "must be a number above 0, up to 1e9")])
    return Pace(redis, per_second, name=name, timing=timing)
