"""docs/operations.md names every operation and every method."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from linq_async import LinqClient, LinqError, errors

from .operations import BESIDE, OPERATIONS

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
RESOURCES = ("chats", "messages", "contacts", "phone_numbers", "webhook_subscriptions", "imessage")


def _rows(heading: str) -> list[tuple[str, ...]]:
    """Return the cells of the table under a heading."""
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
    """The table lists operation, method, path, name and result, in the order of the contract."""
    wanted = [(o.id, f"`{o.method} {o.path}`", f"`linq.{o.name}`", o.shown) for o in OPERATIONS]
    assert _rows("# Every operation of the API") == wanted


def test_every_method_is_in_a_table() -> None:
    """Each public method of a resource is in one of the two tables, and each method in a table exists."""
    assert set(_methods()) == {operation.name for operation in OPERATIONS} | set(BESIDE)
    named = {re.sub(r"`linq\.|`", "", cells[0]) for cells in _rows("## Other methods")}
    assert named == set(BESIDE) | {"request"}


def test_the_results_are_those_of_the_signatures() -> None:
    """The results in the table are the return annotations of the methods."""
    methods = _methods()
    for operation in OPERATIONS:
        returned = str(inspect.signature(methods[operation.name]).return_annotation)  # type: ignore[arg-type]
        inner = re.sub(r"^Coroutine\[Any, Any, (.*)\]$", r"\1", returned).replace("builtins.", "")
        assert operation.shown.replace("`", "").replace(" or ", " | ") == inner


def test_what_is_not_repeated_is_named() -> None:
    """The page lists exactly the operations without an idempotency key as not retried."""
    section = PAGE.read_text().split("## What is retried", 1)[1].split("\n## ", 1)[0]
    listed = section.split("They are ", 1)[1]
    keyless = {operation.name for operation in OPERATIONS if operation.kind == "keyless"}
    keyless |= {name for name, plain in BESIDE.items() if plain in keyless and name != "chats.typing"}
    assert set(re.findall(r"`([a-z_]+\.[a-z_]+)`", listed)) == keyless


def test_every_method_documents_its_errors() -> None:
    """Each docstring ends with one section ``Raises:``, which lists errors of the package, LinqError last."""
    for name, method in _methods().items():
        text, _, section = (inspect.getdoc(method) or "").partition("\n\nRaises:\n")
        lines = section.replace("\n        ", " ").splitlines()
        entries = [re.sub(r"^    (\w+): (If|For|As|After) .*\.$", r"\1", line) for line in lines]
        assert text, name
        assert "Raises " not in text, name
        assert entries[-1:] == ["LinqError"], name
        assert all(issubclass(getattr(errors, entry), LinqError) for entry in entries), name


def test_every_operation_names_its_page() -> None:
    """The docstring of each operation names its page in the API reference."""
    methods = _methods()
    for operation in OPERATIONS:
        text = " ".join((inspect.getdoc(methods[operation.name]) or "").split())
        assert re.search(r'See "[A-Z][^"]+" in the API reference\.', text), operation.name
