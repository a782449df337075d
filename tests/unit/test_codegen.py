"""linq_async/wire/codegen.py: our classes, written out field by field."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given

from linq_async import CreatedChat, models
from linq_async.wire.codegen import generate_hook
from linq_async.wire.converter import shape_problems, structure

from .test_decode_fuzz import mutated, quick, values

NEVER_DECODED = {"NewMessage", "NewChat", "ContactInput", "SubscriptionInput", "Page", "Response"}


def _models() -> Iterator[type]:
    for module in pkgutil.iter_modules(models.__path__, f"{models.__name__}."):
        for name, found in inspect.getmembers(importlib.import_module(module.name), attrs.has):
            if found.__module__ == module.name and name not in NEVER_DECODED:
                yield found


def _hook_of(kind: Any) -> Callable[[Any, Any], Any]:
    def hook(value: Any, _: Any) -> Any:
        raise TypeError(f"{kind} refuses {value}")

    return hook


@attrs.define
class Plain:
    """What a hook is written for."""

    needed: int
    wanted: str | None = None
    marked: bool = attrs.field(default=False, init=False)


@attrs.define
class WithDefault:
    """A missing field is not what a null one is."""

    count: int = 5


@attrs.define
class WithFactory:
    """A missing field is something made."""

    found: dict[str, int] = attrs.field(factory=dict[str, int])


@attrs.define
class WithConverter:
    """A field is changed on its way in."""

    count: int = attrs.field(converter=int)


@attrs.define
class WithValidator:
    """A field is looked at on its way in."""

    count: int = attrs.field(validator=attrs.validators.ge(0))


@attrs.frozen
class Frozen:
    """Attributes cannot be set."""

    count: int


@attrs.define
class WithMore:
    """``__init__`` does more than to set attributes."""

    count: int

    def __attrs_post_init__(self) -> None:
        self.count += 1


@pytest.mark.parametrize("kind", [*_models()], ids=lambda kind: kind.__name__)
def test_every_model_that_is_decoded_is_plain(kind: type) -> None:
    """No model of ours takes the slower way by a default or a validator that crept in."""
    assert generate_hook(kind, _hook_of, {}) is not None


@pytest.mark.parametrize("kind", [WithDefault, WithFactory, WithConverter, WithValidator, Frozen, WithMore])
def test_a_class_whose_init_does_more_is_left_to_cattrs(kind: type) -> None:
    """Nothing that ``__init__`` does is passed over."""
    assert generate_hook(kind, _hook_of, {}) is None


@pytest.mark.parametrize(
    ("data", "made"),
    [
        ({"needed": 1, "wanted": "x"}, Plain(1, "x")),
        ({"needed": 1, "wanted": None}, Plain(1)),
        ({"needed": 1, "marked": True, "other": []}, Plain(1)),
    ],
)
def test_a_value_of_its_type_is_not_given_to_its_hook(data: Any, made: Plain) -> None:
    """What is as it should be is taken as it is; what only we set, JSON cannot set."""
    hook = generate_hook(Plain, _hook_of, {})
    assert hook is not None
    assert hook(data, Plain) == made


@pytest.mark.parametrize("data", [{"needed": "1"}, {"needed": None}, {"needed": True}, {"needed": 1, "wanted": 2}, {}])
def test_any_other_value_is(data: Any) -> None:
    """A hook is asked about the rest, and a needed field that is missing is an error."""
    hook = generate_hook(Plain, _hook_of, {})
    assert hook is not None
    with pytest.raises((TypeError, KeyError)):
        hook(data, Plain)


@pytest.mark.parametrize("data", [None, 5, "needed", ["needed"], True])
def test_only_an_object_is_an_object(data: Any) -> None:
    """Other JSON values raise."""
    hook = generate_hook(Plain, _hook_of, {})
    assert hook is not None
    with pytest.raises((AttributeError, TypeError)):
        hook(data, Plain)


def test_a_field_is_read_by_its_name_on_the_wire() -> None:
    """``wire_names`` has the names that differ."""
    hook = generate_hook(Plain, _hook_of, {"needed": "wanted_by_all"})
    assert hook is not None
    assert hook({"wanted_by_all": 3}, Plain) == Plain(3)


@quick
@given(mutated().map(lambda answer: answer.get("data")) | values)
def test_both_ways_agree(data: Any) -> None:
    """What the straight way takes, the telling way of cattrs takes; what the one refuses, the other does."""
    try:
        structure(data, CreatedChat)
    except Exception:  # it may raise anything
        taken = False
    else:
        taken = True
    assert taken == (not shape_problems(data, CreatedChat, "$"))
