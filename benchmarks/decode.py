"""The cost of decoding a response body into typed values."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import attrs
from cattrs.preconf.orjson import make_converter

from benchmarks.examples import CREATED, encode, page_of_messages
from benchmarks.pairs import Pair, compare_sync, cpu_ratio, from_json, median_of, to_json
from benchmarks.processes import run
from benchmarks.results import Check, Result, Table
from benchmarks.rivals import select, skipped_rows
from benchmarks.schemas import Fields, build, is_list, required
from linq_async.models.chats import CreatedChat
from linq_async.models.messages import MessageList
from linq_async.wire.request import RawResponse
from linq_async.wire.response import decode

OURS = "linq_async"
BODIES = {"the create answer": encode(CREATED), "a page of 100 messages": encode(page_of_messages(100))}
NOTE = (
    "From bytes to typed values. Ours alone keeps unknown enum values and takes a null list; pydantic and msgspec "
    "refuse one of the two documented spellings of a time."
)

Decoders = tuple[Callable[[], object], Callable[[], object]]
"""The decoders of the two bodies."""


def ours() -> Decoders:
    """Return the decoding of ``chats.create`` and ``messages.list``."""
    created, page = (RawResponse(200, {}, body) for body in BODIES.values())
    return lambda: decode(created, "data", CreatedChat), lambda: decode(page, None, MessageList)


def _decoders(decode_as: Callable[[Any], Callable[[bytes], object]], classes: tuple[type, type]) -> Decoders:
    created, page = (decode_as(kind) for kind in classes)
    first, second = BODIES.values()
    return lambda: created(first), lambda: page(second)


def cattrs_defaults() -> Decoders:
    """Return the decoding of cattrs' orjson converter with its defaults."""
    converter = make_converter()

    def make(name: str, fields: Fields) -> type:
        made: dict[str, Any] = {
            field: attrs.field(type=kind)
            if required(field, kind)
            else attrs.field(type=kind, factory=list)
            if is_list(kind)
            else attrs.field(type=kind, default=None)
            for field, kind in fields.items()
        }
        return attrs.make_class(name, made, kw_only=True, slots=True)

    return _decoders(lambda kind: lambda body: converter.loads(body, kind), build(make))


def pydantic() -> Decoders:
    """Return the decoding of pydantic's ``model_validate_json``."""
    from pydantic import Field, create_model

    def make(name: str, fields: Fields) -> Any:
        made: dict[str, Any] = {
            field: (kind, ... if required(field, kind) else Field(default_factory=list) if is_list(kind) else None)
            for field, kind in fields.items()
        }
        return create_model(name, **made)

    return _decoders(lambda kind: kind.model_validate_json, build(make))


def msgspec() -> Decoders:
    """Return the decoding of a msgspec ``Decoder`` of structs."""
    structs: Any = import_module("msgspec")

    def make(name: str, fields: Fields) -> Any:
        made: list[Any] = [
            (key, kind)
            if required(key, kind)
            else (key, kind, structs.field(default_factory=list) if is_list(kind) else None)
            for key, kind in fields.items()
        ]
        return structs.defstruct(name, made, kw_only=True)

    return _decoders(lambda kind: structs.json.Decoder(kind).decode, build(make))


CONTENDERS: dict[str, Callable[[], Decoders]] = {OURS: ours, "pydantic v2": pydantic, "msgspec": msgspec}


def measure(*, quick: bool) -> Result:
    """Measure every installed library."""
    selected, skipped = select(["pydantic v2", "msgspec"], quick=quick)
    names = [OURS, *selected]
    measured = [from_json(one) for one in run("decode", contenders=names, rounds=8 if quick else 60)]
    rows: list[tuple[str, ...]] = []
    for name in names:
        cells: list[str] = []
        for pairs in measured:
            micros = 1e6 * median_of([pair.contender.cpu for pair in pairs[name]])
            cells += [str(cpu_ratio(pairs[name])), f"{micros:.1f}" if micros < 100 else f"{micros:.0f}"]
        rows.append((name, *cells))
    baseline = [1e6 * median_of([pair.baseline.cpu for pair in pairs[OURS]]) for pairs in measured]
    rows.append(("cattrs defaults (orjson)", "1", f"{baseline[0]:.1f}", "1", f"{baseline[1]:.0f}"))
    rows += skipped_rows(skipped, 5)
    head = [cell for body in BODIES for cell in (f"{body}: ratio", "µs")]
    checks = [
        Check(name=f"decoding {body} / cattrs defaults", value=cpu_ratio(pairs[OURS]).median, budget=0.70, gate=0.85)
        for body, pairs in zip(BODIES, measured, strict=True)
    ]
    return Result(title="Decoding", tables=[Table(("library", *head), rows)], checks=checks, notes=[NOTE])


def worker(contenders: list[str], rounds: int) -> list[dict[str, list[Pair]]]:
    """Compare the contenders with cattrs' defaults. Return the pairs for each body."""
    baseline, opened = cattrs_defaults(), {name: CONTENDERS[name]() for name in contenders}
    return [
        compare_sync(
            baseline[place], {name: decoders[place] for name, decoders in opened.items()}, rounds=rounds, seconds=0.03
        )
        for place in (0, 1)
    ]


if __name__ == "__main__":
    print(json.dumps([to_json(pairs) for pairs in worker(**json.loads(sys.argv[1]))]))
