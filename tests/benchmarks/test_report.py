"""The page and the chart."""

from __future__ import annotations

import os
import platform
from xml.etree import ElementTree as ET

import pytest

from benchmarks.chart import Scale, scale_for, svg
from benchmarks.examples import CREATED, page_of_messages, spelled
from benchmarks.machine import description
from benchmarks.report import budgets, markdown, page, plain
from benchmarks.results import Check, Found, Table
from benchmarks.server import length_of, path_of
from linq_async.models.chats import CreatedChat
from linq_async.models.messages import MessageList
from linq_async.wire.request import RawResponse
from linq_async.wire.response import decode

BARS = {"linq_async": (1.0, 0.9), "openai": (9.0, 16.0), "floor": (0.2, 0.1)}
SVG = "{http://www.w3.org/2000/svg}"


def test_a_table_becomes_markdown() -> None:
    """Figures are set to the right."""
    table = Table(("client", "ratio"), [("ours", "1.00")])
    assert markdown(table) == "| client | ratio |\n| --- | ---: |\n| ours | 1.00 |\n"


def test_a_table_becomes_plain_text() -> None:
    """Columns stand below each other, and no line ends in blanks."""
    assert plain(Table(("client", "ratio"), [("a", "1"), ("longer name", "")])) == (
        "  client       ratio\n  a            1\n  longer name"
    )


def test_budgets_stand_beside_what_was_measured() -> None:
    """Each row holds the promise, the figure and the verdict."""
    met = Check(what="RSS", found=2.3, budget=8, unit="MiB")
    missed = Check(what="MB/s", found=0.9, budget=1.0, at_least=True)
    assert budgets([met, missed]).rows == [
        ("RSS", "≤ 8 MiB", "2.3 MiB", "met"),
        ("MB/s", "≥ 1.00", "0.90", "**missed by 0.10**"),
    ]


def test_the_page_holds_all_groups_and_the_chart() -> None:
    """Every title, note and table is on it, and it ends in one line break."""
    found = Found(title="Decoding", tables=[Table(("a",), [("b",)])], checks=[], notes=["As it is."])
    text = page([found], "CPython.")
    assert all(
        part in text for part in ("# Benchmarks", "CPython.", "results.svg", "## Decoding", "As it is.", "| b |")
    )
    assert text.endswith("|\n")


def test_the_machine_is_described_but_not_named() -> None:
    """Versions, cores and load are told; no host name and no path."""
    text = description((0.5, 1.25))
    assert all(part in text for part in ("aiohttp ", f"{os.cpu_count()} cores", "load average 0.5 before"))
    assert "/" not in text
    assert platform.node() not in text.split()


def test_the_chart_is_whole() -> None:
    """It is well-formed, has two bars a client, and stays within its own frame."""
    root = ET.fromstring(svg(BARS))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    bars = [rect for rect in root.iter(f"{SVG}rect") if rect.attrib["height"] != "11"]
    assert len(bars) == 2 * len(BARS)
    assert all(0 < float(bar.attrib["width"]) + float(bar.attrib["x"]) < width for bar in bars)
    assert all(float(text.attrib["y"]) < height for text in root.iter(f"{SVG}text"))


def test_the_chart_needs_nothing_from_elsewhere() -> None:
    """No font, image, script or style sheet is fetched."""
    assert not any(word in svg(BARS) for word in ("href", "url(", "@import", "<script", "<image"))


def test_the_scale_is_logarithmic() -> None:
    """A longer bar belongs to a larger ratio, and equal factors are equal lengths."""
    scale = Scale(0.1, 10)
    assert scale.x(0.2) < scale.x(1) < scale.x(5)
    assert scale.x(1) - scale.x(0.1) == pytest.approx(scale.x(10) - scale.x(1))


@pytest.mark.parametrize("ratios", [[0.2, 1.0, 17.0], [1.1, 1.2], [0.01, 0.5], [70.0, 90.0]])
def test_the_scale_holds_every_ratio_and_one(ratios: list[float]) -> None:
    """Whatever was measured has room, with some left of the shortest bar."""
    scale = scale_for(ratios)
    assert scale.low < min(*ratios, 1.0)
    assert scale.high >= max(*ratios, 1.0)
    assert scale.ticks


def test_the_server_reads_heads() -> None:
    """It finds the path without its query, and the body's length in whatever case it is named."""
    head = b"POST /api/partner/v2/chats?page=1 HTTP/1.1\r\nHost: a\r\nContent-length: 12\r\nX: y"
    assert (path_of(head), length_of(head)) == (b"/api/partner/v2/chats", 12)
    assert length_of(b"GET / HTTP/1.1\r\nHost: a") == 0


def test_the_examples_are_what_we_decode() -> None:
    """The bodies that decoding is measured with fill the models."""
    created = decode(RawResponse(200, {}, spelled(CREATED)), "data", CreatedChat)
    listed = decode(RawResponse(200, {}, spelled(page_of_messages(100))), None, MessageList)
    assert len(created.chat_handles) == 2
    assert (len(listed.data), listed.page(1).total_count) == (100, 700)
    assert len(listed.data[0].reactions) == 1
