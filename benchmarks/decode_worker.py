"""Decoding in turns with cattrs' defaults. Prints the pairs as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import attrs
from cattrs.preconf.orjson import make_converter

from benchmarks.examples import CREATED, page_of_messages, spelled
from benchmarks.pairs import Pair, take_turns_blocking, to_json
from benchmarks.schemas import Fields, build, is_list, required
from linq_async.models.chats import CreatedChat
from linq_async.models.messages import MessageList
from linq_async.wire.request import RawResponse
from linq_async.wire.response import decode

Decoders = tuple[Callable[[], object], Callable[[], object]]
BODIES = (spelled(CREATED), spelled(page_of_messages(100)))


def ours() -> Decoders:
    """Return the decoding that ``chats.create`` and ``messages.list`` do."""
    created, page = (RawResponse(200, {}, body) for body in BODIES)
    return lambda: decode(created, "data", CreatedChat), lambda: decode(page, None, MessageList)


def cattrs_defaults() -> Decoders:
    """Return that of the orjson converter as it comes."""
    converter = make_converter()
    kinds = build(_attrs_class)
    created, page = (_loader(converter.loads, body, kind) for body, kind in zip(BODIES, kinds, strict=True))
    return created, page


def _attrs_class(name: str, fields: Fields) -> type:
    made: dict[str, Any] = {
        field: attrs.field(type=kind)
        if required(field, kind)
        else attrs.field(type=kind, factory=list)
        if is_list(kind)
        else attrs.field(type=kind, default=None)
        for field, kind in fields.items()
    }
    return attrs.make_class(name, made, kw_only=True, slots=True)


def _loader(loads: Callable[..., object], body: bytes, *kind: Any) -> Callable[[], object]:
    return lambda: loads(body, *kind)


def pydantic() -> Decoders:
    """Return that of ``model_validate_json``."""
    from pydantic import Field, create_model

    def make(name: str, fields: Fields) -> Any:
        made: dict[str, Any] = {
            field: (kind, ... if required(field, kind) else Field(default_factory=list) if is_list(kind) else None)
            for field, kind in fields.items()
        }
        return create_model(name, **made)

    created, page = (
        _loader(kind.model_validate_json, body)  # type: ignore[attr-defined]
        for body, kind in zip(BODIES, build(make), strict=True)
    )
    return created, page


def msgspec() -> Decoders:
    """Return that of a ``Decoder`` of structs."""
    structs: Any = import_module("msgspec")

    def make(name: str, fields: Fields) -> Any:
        made: list[Any] = [
            (key, kind)
            if required(key, kind)
            else (key, kind, structs.field(default_factory=list) if is_list(kind) else None)
            for key, kind in fields.items()
        ]
        return structs.defstruct(name, made, kw_only=True)

    decoder = structs.json.Decoder
    created, page = (_loader(decoder(kind).decode, body) for body, kind in zip(BODIES, build(make), strict=True))
    return created, page


OPENS: dict[str, Callable[[], Decoders]] = {
    "linq_async": ours,
    "pydantic v2": pydantic,
    "msgspec": msgspec,
}


def measure(contenders: list[str], rounds: int) -> list[dict[str, list[Pair]]]:
    """Return the pairs of the create answer, and those of the page."""
    usual, opened = cattrs_defaults(), {name: OPENS[name]() for name in contenders}
    return [
        take_turns_blocking(
            usual[which], {name: both[which] for name, both in opened.items()}, rounds=rounds, seconds=0.03
        )
        for which in (0, 1)
    ]


if __name__ == "__main__":
    print(json.dumps([to_json(found) for found in measure(**json.loads(sys.argv[1]))]))
