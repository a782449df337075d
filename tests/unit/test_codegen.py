"""linq_async/wire/codegen.py: models made by generated code."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, get_args

import attrs
import pytest
from hypothesis import given

from linq_async import CreatedChat, models
from linq_async.models.decodable import DECODABLE, WIRE_NAME, decodable
from linq_async.wire.codegen import generate_hook
from linq_async.wire.converter import model_hook, shape_problems

from .test_decode_fuzz import mutated, quick, values

NEVER_DECODED = {
    *("NewMessage", "NewChat", "ContactInput", "SubscriptionInput", "Page", "Receipt", "Response"),
    *("Event", "_Undocumented"),
}
MODULES = [
    *(module.name for module in pkgutil.iter_modules(models.__path__, f"{models.__name__}.")),
    *("linq_async.webhooks.data", "linq_async.webhooks.events"),
]


def _models() -> Iterator[type]:
    for module in MODULES:
        for name, found in inspect.getmembers(importlib.import_module(module), attrs.has):
            if found.__module__ == module and name not in NEVER_DECODED:
                yield found


def _registered() -> list[type]:
    return sorted(DECODABLE, key=lambda kind: str(kind.__qualname__))


def _mentioned(kind: Any) -> Iterator[type]:
    """Yield the classes in a type, such as ``list[Attachment] | None``."""
    if isinstance(kind, type):
        yield kind
    for part in get_args(kind):
        yield from _mentioned(part)


def _hook_of(kind: Any) -> Callable[[Any, Any], Any]:
    def hook(value: Any, _: Any) -> Any:
        raise TypeError(f"{kind} refuses {value}")

    return hook


@attrs.define
class Plain:
    """A class that code is generated for."""

    required: int
    optional: str | None = None
    internal: bool = attrs.field(default=False, init=False)


@attrs.define
class Renamed:
    """A class with a field that has another name in JSON."""

    meta: int = attrs.field(metadata={WIRE_NAME: "pagination"})


@attrs.define
class WithDefault:
    """A missing field differs from a null one."""

    count: int = 5


@attrs.define
class WithFactory:
    """A missing field has a new value each time."""

    found: dict[str, int] = attrs.field(factory=dict[str, int])


@attrs.define
class WithConverter:
    """A field is converted by ``__init__``."""

    count: int = attrs.field(converter=int)


@attrs.define
class WithValidator:
    """A field is validated by ``__init__``."""

    count: int = attrs.field(validator=attrs.validators.ge(0))


@attrs.frozen
class Frozen:
    """Attributes cannot be set."""

    count: int
    fixed: str = attrs.field(default="x", init=False)


@attrs.frozen(slots=False)
class FrozenDict:
    """Attributes cannot be set, and have no slots."""

    count: int


@attrs.define(on_setattr=lambda _, __, value: value)
class WithHook:
    """Setting an attribute does more."""

    count: int


@attrs.define
class WithMore:
    """``__init__`` does more than set attributes."""

    count: int

    def __attrs_post_init__(self) -> None:
        self.count += 1


@pytest.mark.parametrize("kind", [*_models()], ids=lambda kind: kind.__name__)
def test_every_model_is_registered(kind: type) -> None:
    """Each model of a response is registered as decodable."""
    assert kind in DECODABLE


@pytest.mark.parametrize("kind", _registered(), ids=lambda kind: kind.__name__)
def test_every_registered_class_is_made_by_generated_code(kind: type) -> None:
    """No registered class falls back to cattrs because of a default or a validator."""
    assert model_hook(kind, False).__code__.co_filename == f"<linq_async structure {kind.__qualname__}>"


@pytest.mark.parametrize("kind", _registered(), ids=lambda kind: kind.__name__)
def test_the_fields_of_a_registered_class_are_registered(kind: type) -> None:
    """Each attrs class that a registered class contains is registered, too."""
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(attrs.resolve_types(kind))
    contained = {part for field in fields for part in _mentioned(field.type) if attrs.has(part)}
    assert contained - DECODABLE == set()


def test_a_class_is_registered_by_a_decorator() -> None:
    """``decodable`` returns the class that it registers, and code is generated for it from then on."""
    try:
        assert decodable(Plain) is Plain
        assert model_hook(Plain)({"required": 1}, Plain) == Plain(1)
        assert model_hook(Plain, False).__code__.co_filename == "<linq_async structure Plain>"
    finally:
        DECODABLE.discard(Plain)


@pytest.mark.parametrize(
    "kind", [WithDefault, WithFactory, WithConverter, WithValidator, WithHook, FrozenDict, WithMore]
)
def test_a_class_whose_init_does_more_is_left_to_cattrs(kind: type) -> None:
    """Nothing that ``__init__`` does is skipped."""
    assert generate_hook(kind, _hook_of) is None


@pytest.mark.parametrize(
    ("data", "made"),
    [
        ({"required": 1, "optional": "x"}, Plain(1, "x")),
        ({"required": 1, "optional": None}, Plain(1)),
        ({"required": 1, "internal": True, "other": []}, Plain(1)),
    ],
)
def test_a_value_of_its_type_is_not_passed_to_its_hook(data: Any, made: Plain) -> None:
    """A value of the right type is used as it is, and JSON cannot set a field that is not an argument."""
    hook = generate_hook(Plain, _hook_of)
    assert hook is not None
    assert hook(data, Plain) == made


@pytest.mark.parametrize(
    "data", [{"required": "1"}, {"required": None}, {"required": True}, {"required": 1, "optional": 2}, {}]
)
def test_any_other_value_is_passed_to_its_hook(data: Any) -> None:
    """The hook decides about other values, and a missing required field raises."""
    hook = generate_hook(Plain, _hook_of)
    assert hook is not None
    with pytest.raises((TypeError, KeyError)):
        hook(data, Plain)


def test_a_frozen_class_is_made() -> None:
    """The attributes of a frozen class are set once, and it stays frozen."""
    hook = generate_hook(Frozen, _hook_of)
    assert hook is not None
    made = hook({"count": 1, "fixed": "y"}, Frozen)
    assert made == Frozen(1)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.count = 2


@pytest.mark.parametrize("data", [None, 5, "required", ["required"], True])
def test_only_an_object_is_an_object(data: Any) -> None:
    """Other JSON values raise."""
    hook = generate_hook(Plain, _hook_of)
    assert hook is not None
    with pytest.raises((AttributeError, TypeError)):
        hook(data, Plain)


def test_a_field_is_read_by_its_name_in_json() -> None:
    """A field whose metadata names another name is read by that one alone."""
    hook = generate_hook(Renamed, _hook_of)
    assert hook is not None
    assert hook({"pagination": 3, "meta": 4}, Renamed) == Renamed(3)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"pagination": "x"}, "$.pagination: expected int, got str"),
        ({"meta": 3}, "$.pagination: required field missing"),
    ],
)
def test_cattrs_reads_the_same_name(data: Any, problem: str) -> None:
    """Without generated code a field is read by the same name, and errors use it."""
    assert shape_problems(data, Renamed, "$") == [problem]


@quick
@given(mutated().map(lambda answer: answer.get("data")) | values)
def test_generated_code_and_cattrs_agree(data: Any) -> None:
    """Generated code accepts exactly what the detailed converter of cattrs accepts."""
    try:
        model_hook(CreatedChat)(data, CreatedChat)
    except Exception:  # it may raise anything
        accepted = False
    else:
        accepted = True
    assert accepted == (not shape_problems(data, CreatedChat, "$"))
