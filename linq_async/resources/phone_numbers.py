"""``linq.phone_numbers``."""

from __future__ import annotations

import builtins
from collections.abc import Coroutine
from typing import Any

from linq_async.errors import Problem
from linq_async.models.checks import text_problem
from linq_async.models.phone_numbers import PhoneNumber
from linq_async.resources.base import Draft, Resource
from linq_async.resources.coroutines import returns_coroutine


class PhoneNumbers(Resource):
    """The organization's own numbers."""

    @returns_coroutine
    def list(self) -> Coroutine[Any, Any, builtins.list[PhoneNumber]]:
        """Return your numbers: a plain list, for the API gives it whole.

        Raises a LinqError. https://docs.linqapp.com, List Phone Numbers.
        """
        draft = Draft("phone_numbers.list", "GET", "/phone_numbers")
        return self._result(draft, list[PhoneNumber], "phone_numbers")

    @returns_coroutine
    def update(self, phone_number_id: int, *, forwarding_number: str) -> Coroutine[Any, Any, PhoneNumber]:
        """Set where calls go that a number cannot take; ``""`` clears it.

        Raises PermissionDeniedError where the number is not yours, UnprocessableEntityError where the other cannot be
        used, or another LinqError. https://docs.linqapp.com, Update Phone Number.
        """
        message = text_problem(forwarding_number)
        return self._result(
            Draft(
                "phone_numbers.update",
                "PUT",
                "/phone_numbers/{phone_number_id}",
                {"phone_number_id": phone_number_id},
                body={"forwarding_number": forwarding_number},
                problems=[Problem("forwarding_number", f'{message}; "" clears it')] if message else (),
            ),
            PhoneNumber,
            None,
        )
