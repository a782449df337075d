"""docs/operations.md names every operation and every method."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from linq_async import LinqClient, Pager

from .operations import BESIDE, OPERATIONS

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
RESOURCES = ("chats", "messages", "contacts", "phone_numbers", "webhook_subscriptions", "imessage")


def _rows(heading: str) -> list[tuple[str, ...]]:
    """Return the cells of the table below a heading."""
    section = PAGE.read_text().split(heading, 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]


def _methods() -> dict[str, object]:
    linq = LinqClient("token")
    return {
        f"{resource}.{name}": method
        for resource in RESOURCES
        for name, method in inspect.getmembers(getattr(linq, resource), inspect.ismethod)
        if not name.startswith("_")
    }


def test_the_table_holds_every_operation() -> None:
    """The table lists operation, method, path, name and result in the order of the contract."""
    wanted = [(o.id, f"`{o.method} {o.path}`", f"`linq.{o.name}`", o.shown) for o in OPERATIONS]
    assert _rows("# Every operation of the API") == wanted


def test_every_method_is_in_a_table() -> None:
    """Each public method of a resource is in the tables, and each method in the tables exists."""
    assert set(_methods()) == {operation.name for operation in OPERATIONS} | set(BESIDE)
    named = {re.sub(r"`linq\.|`", "", cells[0]) for cells in _rows("## Other methods")}
    assert named == set(BESIDE) | {"request"}


def test_the_results_are_those_of_the_signatures() -> None:
    """The result in the table is the return annotation of the method."""
    methods = _methods()
    for operation in OPERATIONS:
        returned = str(inspect.signature(methods[operation.name]).return_annotation)  # type: ignore[arg-type]
        inner = re.sub(r"^Coroutine\[Any, Any, (.*)\]$", r"\1", returned).replace("builtins.", "")
        assert operation.shown.replace("`", "").replace(" or ", " | ") == inner


def test_what_is_not_repeated_is_named() -> None:
    """The list of calls that are not retried after a lost response is that of the calls without a key."""
    section = PAGE.read_text().split("## What is retried", 1)[1].split("\n## ", 1)[0]
    told = section.split("They are ", 1)[1]
    keyless = {operation.name for operation in OPERATIONS if operation.kind == "keyless"}
    keyless |= {name for name, plain in BESIDE.items() if plain in keyless and name != "chats.typing"}
    assert set(re.findall(r"`([a-z_]+\.[a-z_]+)`", told)) == keyless


def test_every_method_says_what_it_does_and_raises() -> None:
    """Each method documents its exceptions, and each operation names its page of the reference."""
    plain = {operation.name for operation in OPERATIONS}
    for name, method in _methods().items():
        text = inspect.getdoc(method) or ""
        assert "Raises" in text, name
        assert name not in plain or re.search(r'"[A-Z][^"]+"|linqapp.com, [A-Z]', text), name
    assert Pager.__doc__
