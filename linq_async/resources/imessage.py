"""``linq.imessage``."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import attrs

from linq_async.models.checks import text_problems
from linq_async.models.imessage import Availability
from linq_async.pipeline import Pipeline
from linq_async.resources.base import Draft, Resource
from linq_async.resources.coroutines import returns_coroutine
from linq_async.resources.pace import Lines

OPERATION = "imessage.check"
SECONDS = 10.0
"""The API takes one check in so many seconds."""


def check_lines() -> Lines:
    """Make the lines in which checks stand: one set for a client and all that are derived from it."""
    return Lines(OPERATION, SECONDS)


class IMessage(Resource):
    """Who can be reached by iMessage."""

    def __init__(self, pipeline: Pipeline, lines: Lines) -> None:
        timing = attrs.evolve(pipeline.timing, sleep=self._rest_in_line)
        super().__init__(pipeline.with_settings(attrs.evolve(pipeline.settings, timing=timing)))
        self._given = pipeline
        self._line = lines.of(pipeline.settings.token)

    @returns_coroutine
    def check(self, phone_number: str) -> Coroutine[Any, Any, Availability]:
        """Ask whether a number is on iMessage.

        The API takes one check in 10 seconds. So checks of one token stand in line, from all tasks of a client and
        of those made by ``with_options``, each with its retries; the wait is no part of the call's time limits, and
        is logged at INFO. Raises a LinqError. https://docs.linqapp.com, Check iMessage Availability.
        """
        return self._check(
            Draft(
                OPERATION,
                "POST",
                "/i_message_availability/check",
                body={"phone_number": phone_number},
                problems=text_problems(phone_number=phone_number),
                group=OPERATION,
                spacing=SECONDS,
            )
        )

    async def _check(self, draft: Draft) -> Availability:
        draft.check()
        await self._wait(lambda: self._line.turn(self._given.timing))
        try:
            return await self._result(draft, Availability, None)
        finally:
            self._line.hold(self._given.timing.clock())  # the server may have counted from its answer

    async def _rest_in_line(self, seconds: float) -> None:
        """Rest before a retry, at the head of the line."""
        self._line.hold(self._given.timing.clock())
        await self._line.turn(self._given.timing, again_after=seconds)
