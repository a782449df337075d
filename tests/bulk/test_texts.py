"""linq_async/bulk/template.py and segments.py: merge fields, and the SMS segments of a text."""

from __future__ import annotations

import pytest

from linq_async import InvalidArgumentError
from linq_async.bulk import Segments, Template, segments


def test_fields_are_filled() -> None:
    """Fields get the values of a row without the spaces around them; doubled braces are braces."""
    template = Template.parse("{{Hi}} {first_name}, order {order id}: {first_name}!")
    assert template.fields == ("first_name", "order id")
    assert template.render({"first_name": " Ann ", "order id": "7"}) == "{Hi} Ann, order 7: Ann!"


def test_an_empty_value_is_missing() -> None:
    """A field without a value is missing, unless it has a fallback, which may be empty."""
    template = Template.parse("{first_name} {last_name|friend} {title|}")
    assert template.missing({"first_name": " "}) == ["first_name"]
    assert template.missing({"first_name": "Ann"}) == []
    assert template.render({"first_name": "Ann", "last_name": ""}) == "Ann friend "


def test_a_value_is_not_a_template() -> None:
    """Braces in a value are not read as a field."""
    assert Template.parse("Hi {a}").render({"a": "{b} {{"}) == "Hi {b} {{"


def test_a_text_without_fields() -> None:
    """A plain text stays as it is."""
    assert Template.parse("Hi!").parts == ("Hi!",)
    assert Template.parse("").parts == ()


@pytest.mark.parametrize(
    "text", ["Hi {", "Hi }", "{a}}", "{a{b}}", "{a|b|c}", "{+13343284472}", "{}", "{1}", "{a.b!r}"]
)
def test_a_doubtful_brace_is_refused(text: str) -> None:
    """A brace that is neither doubled nor part of a field is refused by its position, and the text is not shown."""
    with pytest.raises(InvalidArgumentError, match=r"text has a (brace|field) at character \d") as caught:
        Template.parse(text)
    assert "334" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments(0, "GSM-7", 0)),
        ("a" * 160, Segments(1, "GSM-7", 160)),
        ("a" * 161, Segments(2, "GSM-7", 161)),
        ("a" * 306, Segments(2, "GSM-7", 306)),
        ("a" * 307, Segments(3, "GSM-7", 307)),
        ("€" * 80, Segments(1, "GSM-7", 160)),
        ("€" * 81, Segments(2, "GSM-7", 162)),
        ("a" * 152 + "€" + "a" * 152, Segments(3, "GSM-7", 306)),  # the escape and its character stay together
        ("é@£\n", Segments(1, "GSM-7", 4)),
        ("ç", Segments(1, "UCS-2", 1)),
        ("’" * 70, Segments(1, "UCS-2", 70)),  # noqa: RUF001  # the apostrophe of a phone's keyboard
        ("’" * 71, Segments(2, "UCS-2", 71)),  # noqa: RUF001
        ("’" * 135, Segments(3, "UCS-2", 135)),  # noqa: RUF001
        ("😀" * 35, Segments(1, "UCS-2", 70)),
        ("😀" * 66, Segments(2, "UCS-2", 132)),
        ("😀" * 67, Segments(3, "UCS-2", 134)),  # 33 of them fit into 67 units
    ],
)
def test_segments(text: str, expected: Segments) -> None:
    """Segments are counted in the units of the encoding, and no character of two units is divided."""
    assert segments(text) == expected
