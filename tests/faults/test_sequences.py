"""Different faults one after another: the last one names the error, and all of them together the outcome."""

import pytest

from linq_async import LinqClient, LinqError, Outcome, RetryPolicy
from tests.support.script import Behaviour, good
from tests.support.scripted_server import ScriptedServer

from . import answers, broken_wire
from .calls import ask, hurry
from .matrix import Kind

LOST = broken_wire.close_after_request
STORED = broken_wire.close_after_request.storing()
CUT = broken_wire.length_too_long
BUSY = answers.status(503)
LIMITED = answers.status(429)

SEQUENCES = [
    (Kind.JSON, [LOST, answers.status(400)], "BadRequestError", Outcome.UNKNOWN),
    (Kind.JSON, [LIMITED, answers.status(400)], "BadRequestError", Outcome.NOT_SENT),
    (Kind.JSON, [CUT, BUSY, answers.status(401)], "AuthenticationError", Outcome.SENT),
    (Kind.JSON, [CUT, LIMITED, LIMITED, LIMITED], "RateLimitError", Outcome.SENT),
    (Kind.FORM, [BUSY, LOST, answers.json_null], "DecodeError", Outcome.SENT),
    (Kind.FORM, [STORED, broken_wire.close_for_good], "ConnectError", Outcome.UNKNOWN),
    (Kind.FORM, [BUSY, LIMITED, STORED, good], None, None),
    (Kind.POST, [LIMITED, LIMITED, good], None, None),
    (Kind.POST, [LIMITED, LOST], "ConnectionLostError", Outcome.UNKNOWN),
    (Kind.DELETE, [STORED, good], None, None),
    (Kind.DELETE, [BUSY, answers.status(404)], None, None),
    (Kind.DELETE, [LIMITED, answers.status(404)], "NotFoundError", Outcome.NOT_SENT),
]


async def ending_of(linq: LinqClient, kind: Kind) -> tuple[str | None, Outcome | None, int]:
    """Make the call; the error's name and outcome, if any, and the attempts."""
    try:
        return None, None, (await ask(linq, kind)).attempts
    except LinqError as error:
        return type(error).__name__, error.outcome, error.attempts


@pytest.mark.asyncio
@pytest.mark.parametrize(("kind", "script", "error", "outcome"), SEQUENCES)
async def test_sequence(kind: Kind, script: list[Behaviour], error: str | None, outcome: Outcome | None) -> None:
    """The call ends in the last attempt's error with the outcome of all, under one key and with one effect."""
    attempts = 4 if broken_wire.close_for_good in script else len(script)
    async with (
        ScriptedServer(script) as server,
        LinqClient("token", base_url=server.url, retry=RetryPolicy(max_attempts=4)) as linq,
    ):
        hurry(linq)
        assert await ending_of(linq, kind) == (error, outcome, attempts)
    assert server.visits == script
    assert len({seen.key for seen in server.log}) == 1
    assert len(server.stored) + len(server.effects) <= 1
