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
        """Return all your numbers as a list. The API does not page them.

        See "List Phone Numbers" in the API reference.

        Raises:
            LinqError: If the call fails.
        """
        draft = Draft("phone_numbers.list", "GET", "/phone_numbers")
        return self._result(draft, list[PhoneNumber], "phone_numbers")

    @returns_coroutine
    def update(self, phone_number_id: int, *, forwarding_number: str) -> Coroutine[Any, Any, PhoneNumber]:
        """Set the number that calls are forwarded to. ``""`` clears it.

        See "Update Phone Number" in the API reference.

        Raises:
            PermissionDeniedError: If the number is not yours.
            UnprocessableEntityError: If the forwarding number cannot be used.
            LinqError: For any other failure.
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
