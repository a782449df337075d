"""Tests of the page, the chart and the server."""

from __future__ import annotations

import os
import platform
from xml.etree import ElementTree as ET

import pytest

from benchmarks.chart import Scale, scale_for, svg
from benchmarks.examples import CREATED, encode, page_of_messages
from benchmarks.machine import description
from benchmarks.report import budgets, markdown, page, plain
from benchmarks.results import Check, Result, Table
from benchmarks.server import length_of, path_of
from linq_async.models.chats import CreatedChat
from linq_async.models.messages import MessageList
from linq_async.wire.request import RawResponse
from linq_async.wire.response import decode

BARS = {"linq_async": (1.0, 0.9), "openai": (9.0, 16.0), "floor": (0.2, 0.1)}
SVG = "{http://www.w3.org/2000/svg}"


def test_table_as_markdown() -> None:
    """All columns but the first are aligned right."""
    table = Table(("client", "ratio"), [("ours", "1.00")])
    assert markdown(table) == "| client | ratio |\n| --- | ---: |\n| ours | 1.00 |\n"


def test_table_as_plain_text() -> None:
    """Columns are aligned, and no line has trailing spaces."""
    assert plain(Table(("client", "ratio"), [("a", "1"), ("longer name", "")])) == (
        "  client       ratio\n  a            1\n  longer name"
    )


def test_budgets() -> None:
    """Each row has the budget, the value and the verdict."""
    met = Check(name="RSS", value=2.3, budget=8, unit="MiB")
    missed = Check(name="MB/s", value=0.9, budget=1.0, higher_is_better=True)
    assert budgets([met, missed]).rows == [
        ("RSS", "≤ 8 MiB", "2.3 MiB", "met"),
        ("MB/s", "≥ 1.00", "0.90", "**missed by 0.10**"),
    ]


def test_page() -> None:
    """The page has every title, note and table, and ends with one line break."""
    result = Result(title="Decoding", tables=[Table(("a",), [("b",)])], checks=[], notes=["As it is."])
    text = page([result], "CPython.")
    assert all(
        part in text for part in ("# Benchmarks", "CPython.", "results.svg", "## Decoding", "As it is.", "| b |")
    )
    assert text.endswith("|\n")


def test_machine_is_not_identified() -> None:
    """The description has versions, cores and load, but no host name and no path."""
    text = description((0.5, 1.25))
    assert all(part in text for part in ("aiohttp ", f"{os.cpu_count()} cores", "load average 0.5 before"))
    assert "/" not in text
    assert platform.node() not in text.split()


def test_chart() -> None:
    """The chart is well-formed, has two bars per client, and stays within its frame."""
    root = ET.fromstring(svg(BARS))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    bars = [rect for rect in root.iter(f"{SVG}rect") if rect.attrib["height"] != "11"]
    assert len(bars) == 2 * len(BARS)
    assert all(0 < float(bar.attrib["width"]) + float(bar.attrib["x"]) < width for bar in bars)
    assert all(float(text.attrib["y"]) < height for text in root.iter(f"{SVG}text"))


def test_chart_is_self_contained() -> None:
    """The chart loads no font, image, script or style sheet."""
    assert not any(word in svg(BARS) for word in ("href", "url(", "@import", "<script", "<image"))


def test_scale() -> None:
    """The scale is logarithmic: equal factors have equal lengths."""
    scale = Scale(0.1, 10)
    assert scale.x(0.2) < scale.x(1) < scale.x(5)
    assert scale.x(1) - scale.x(0.1) == pytest.approx(scale.x(10) - scale.x(1))


@pytest.mark.parametrize("ratios", [[0.2, 1.0, 17.0], [1.1, 1.2], [0.01, 0.5], [70.0, 90.0]])
def test_scale_range(ratios: list[float]) -> None:
    """The scale includes every ratio and 1, with room left of the shortest bar."""
    scale = scale_for(ratios)
    assert scale.low < min(*ratios, 1.0)
    assert scale.high >= max(*ratios, 1.0)
    assert scale.ticks


def test_server_parses_heads() -> None:
    """The server finds the path without its query, and the body length in any case of the header."""
    head = b"POST /api/partner/v2/chats?page=1 HTTP/1.1\r\nHost: a\r\nContent-length: 12\r\nX: y"
    assert (path_of(head), length_of(head)) == (b"/api/partner/v2/chats", 12)
    assert length_of(b"GET / HTTP/1.1\r\nHost: a") == 0


def test_examples_fill_the_models() -> None:
    """The bodies of the decoding benchmark fill the models."""
    created = decode(RawResponse(200, {}, encode(CREATED)), "data", CreatedChat)
    listed = decode(RawResponse(200, {}, encode(page_of_messages(100))), None, MessageList)
    assert len(created.chat_handles) == 2
    assert (len(listed.data), listed.page(1).total_count) == (100, 700)
    assert len(listed.data[0].reactions) == 1
