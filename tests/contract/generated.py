"""What the generated tests share: the contract as schemathesis has it, known values, and one call."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, cast

import hypothesis.strategies as st
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi import checks as openapi_checks

from linq_async.sandbox import Sandbox
from linq_async.sandbox.state import State

from .document import contract
from .openapi import openapi
from .recorder import Recorder
from .samples import TOKEN

LINE, MIRA, THEO = "+15175269229", "+13343284472", "theo@example.org"
USER = "sam.reyes@example.com"
# The ids that `fill` gives.
KNOWN = {"chat_id": 8101, "chat_message_id": 900001, "reaction_id": 301, "webhook_subscription_id": 640}
KNOWN_BY_PATH = {"/chats": 900001, "/contacts": 7001, "/phone_numbers": 11}
_checks, _openapi_checks = cast("Any", checks), cast("Any", openapi_checks)  # their functions are not wholly typed
CHECKS: list[Any] = [
    _checks.not_a_server_error,
    _openapi_checks.status_code_conformance,
    _openapi_checks.content_type_conformance,
    _openapi_checks.response_schema_conformance,
]
ANY_CASE = settings(
    deadline=None, suppress_health_check=list(cast("Iterable[HealthCheck]", HealthCheck)), print_blob=False
)

schemathesis.openapi.format("phone", st.sampled_from([LINE, LINE, MIRA, THEO, "3343284472", "12"]))
schemathesis.openapi.format("url", st.sampled_from(["https://example.com/menu.pdf", "http://a/b", "menu.pdf"]))
schemathesis.openapi.format("user", st.sampled_from([USER, "nobody@example.com"]))


@cache
def schema() -> Any:
    """Load the contract into schemathesis, without looking for settings of its own."""
    return schemathesis.openapi.from_dict(openapi(), config=schemathesis.Config())


def cases(name: str) -> st.SearchStrategy[Any]:
    """Give requests of an operation: within the contract and outside of it, about what is known and what is not."""
    operation = contract().operations[name]
    found = schema()[operation.path][operation.method]
    fitting, unfitting = (found.as_strategy(generation_mode=mode) for mode in GenerationMode)
    return st.builds(_aimed, st.one_of(fitting, unfitting), st.integers(0, 3))


def _aimed(case: Any, chance: int) -> Any:
    """Put the token on it, most of the time, and known ids."""
    names: Iterable[str] = case.path_parameters or {}
    if chance:
        case.headers = dict(TOKEN)
    if chance > 1:
        case.path_parameters = {name: known_id(name, case.operation.path) for name in names}
    return case


def known_id(name: str, path: str) -> int:
    """Give the id of what `fill` made."""
    if name != "id":
        return KNOWN[name]
    return next(known for start, known in KNOWN_BY_PATH.items() if path.startswith(contract().prefix + start))


def fill(state: State) -> None:
    """Make one of each thing, with the ids that are known."""
    chat = state.add_chat(LINE, [MIRA], None)
    message = state.add_message(chat, "Hello!", "known-key", ())
    state.add_reaction(message, "like")
    state.add_contact({"first_name": "Mira"}, state.users[0])
    state.add_subscription("https://example.com/hook", ("message.received",), 2, None, active=True)


def call(case: Any, server: Sandbox, session: requests.Session, recorder: Recorder) -> Any:
    """Send a case, and hold the answer against the contract twice: by schemathesis, and by the recorder."""
    response = case.call_and_validate(base_url=server.base_url, session=session, checks=CHECKS)
    recorder.raise_failures()
    return response
