"""The contract itself: whole, and of one mind with the sandbox about the routes."""

from __future__ import annotations

import pytest
import yaml

from linq_async.sandbox.api.routes import PREFIX, ROUTES

from .document import ANYTHING, FILE, JSON, NOTHING, OPTIONAL, bare, contract

KINDS = {*contract().schemas, "null"}


def test_the_29_operations() -> None:
    """The contract and the sandbox have the same 29 operations, in the same order."""
    had = [(one.method, one.path) for one in contract().operations.values()]
    assert had == [(route.method, PREFIX + route.path) for route in ROUTES]
    assert len(had) == 29


def test_every_type_is_there() -> None:
    """Every type that an operation or an object names is spelled out, and none is without use."""
    source = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    used = {bare(kind) for members in source["objects"].values() for kind in members.values()}
    used |= {branch for branches in source["choices"].values() for branch in branches}
    for operation in contract().operations.values():
        used |= {*map(bare, operation.query.values()), *operation.bodies.values(), *operation.answers.values()}
    assert used - {NOTHING, ANYTHING, "null"} == set(contract().schemas)


def test_names_are_spelled_once() -> None:
    """No object has a member twice, once mandatory and once not, and rules are for objects that are there."""
    source = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    for members in source["objects"].values():
        names = [name.removesuffix(OPTIONAL) for name in members]
        assert len(names) == len(set(names))
    assert set(source["rules"]) <= set(source["objects"])


@pytest.mark.parametrize("kind", sorted(KINDS - {"Unknown"}))
def test_no_schema_takes_everything(kind: str) -> None:
    """Every schema refuses something, so none is empty by mistake."""
    assert contract().errors(kind, object_that_is_nothing())


def object_that_is_nothing() -> list[object]:
    """Give a value that no schema of the contract describes."""
    return [None, {"nothing": JSON}]


def test_find_takes_the_fixed_path() -> None:
    """`/chats/find` is an operation of its own, and no chat with a strange id."""
    found = contract().find("GET", f"{PREFIX}/chats/find")
    assert found is not None
    assert (found[0].name, found[1]) == ("findChat", {})
