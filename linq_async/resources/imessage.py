"""``linq.imessage``."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from linq_async.models.checks import text_problems
from linq_async.models.imessage import Availability
from linq_async.resources.base import Draft, Resource
from linq_async.resources.coroutines import returns_coroutine
from linq_async.wire.request import LimitGroup

_CHECKS = LimitGroup("imessage.check", interval=10.0)


class IMessage(Resource):
    """Who can be reached by iMessage."""

    @returns_coroutine
    def check(self, phone_number: str) -> Coroutine[Any, Any, Availability]:
        """Return whether a phone number can be reached by iMessage.

        The API accepts one check in 10 seconds. The checks of one token, by all tasks of a client and of the clients
        derived from it by ``with_options``, wait for their turn, and so do their retries. This wait does not count
        towards the time limits of the call, and is logged at INFO.
        See "Check iMessage Availability" in the API reference.

        Raises:
            InvalidArgumentError: If the number is not a str.
            LinqError: For any other failure.
        """
        draft = Draft(
            "imessage.check",
            "POST",
            "/i_message_availability/check",
            body={"phone_number": phone_number},
            problems=text_problems(phone_number=phone_number),
            group=_CHECKS,
        )
        return self._result(draft, Availability, None)
