"""Turn JSON, forms and query strings into nested parameters, as Rack and Rails do."""

import json
import re
from collections.abc import Iterable
from typing import cast
from urllib.parse import parse_qsl

from linq_async.sandbox.refusals import malformed

Params = dict[str, object]

MAX_PARTS = 4096
MAX_DEPTH = 32
# A body of empty lists becomes a hundred times its size, and takes the garbage collector seconds.
MAX_CONTAINERS = 50_000
NAME = re.compile(r"[\[\]]*([^\[\]]+)\]*")
CHILD_OF_LIST = re.compile(r"\[\]\[([^\[\]]+)\]|\[\](.+)", re.DOTALL)


def params_of_json(body: bytes) -> Params:
    """Read a JSON object; any other JSON value holds no parameters."""
    if body.count(b"[") + body.count(b"{") > MAX_CONTAINERS:
        raise malformed("The body has too many arrays and objects")
    try:
        value: object = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise malformed("The body is not valid JSON") from None
    return cast("Params", value) if isinstance(value, dict) else {}


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def pairs_of(encoded: bytes | str) -> list[tuple[str, str]]:
    """Split a query string or a form into its pairs."""
    text = encoded.decode("utf-8", "replace") if isinstance(encoded, bytes) else encoded
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARTS)
    except ValueError:
        raise malformed("Too many parameters") from None


def params_of_pairs(pairs: Iterable[tuple[str, object]]) -> Params:
    """Nest names such as `chat[phone_numbers][]`."""
    params: Params = {}
    for name, value in pairs:
        _put(params, name, value, MAX_DEPTH)
    return params


def _put(params: Params, name: str, value: object, depth: int) -> None:
    """Store a value under a bracketed name, by the rules of Rack."""
    found = NAME.match(name)
    if found is None:
        return
    if depth <= 0:
        raise malformed("Parameters are nested too deeply")
    key, rest = found[1], name[found.end() :]
    if rest in ("", "["):
        params[key + rest] = value
    elif rest == "[]":
        _list_in(params, key).append(value)
    elif child := CHILD_OF_LIST.fullmatch(rest):
        items, name = _list_in(params, key), child[1] or child[2]
        last = items[-1] if items else None
        # A name that the last object holds already starts the next object.
        if not isinstance(last, dict) or name in last:
            last = Params()
            items.append(last)
        _put(cast("Params", last), name, value, depth - 1)
    else:
        inner = params.setdefault(key, Params())
        if not isinstance(inner, dict):
            raise malformed(f"Expected an object in {key}")
        _put(cast("Params", inner), rest, value, depth - 1)


def _list_in(params: Params, key: str) -> list[object]:
    value = params.setdefault(key, list[object]())
    if not isinstance(value, list):
        raise malformed(f"Expected an array in {key}")
    return cast("list[object]", value)
