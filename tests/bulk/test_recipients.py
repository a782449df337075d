"""linq_async/bulk/recipients.py, numbers.py, campaign.py: files as people make them, and what is wrong with them."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linq_async import InvalidArgumentError
from linq_async.bulk import BulkInputError, Campaign, Columns, Message, RecipientFile, RowProblem, read_suppressed
from linq_async.bulk.campaign import messages
from linq_async.bulk.numbers import e164
from linq_async.bulk.recipients import MAX_LINE
from tests.bulk.world import LINE, OTHER_LINE, TEXT, campaign, number

HEAD = "phone_number,first_name\n"
ANN = "+13343284472,Ann\n"


def _read(folder: Path, content: str | bytes, name: str = "people.csv", **options: Any) -> list[Message | RowProblem]:
    """Return the messages and problems of a file."""
    path = folder / name
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    sending = options.pop("campaign", None) or campaign()
    return list(messages(sending, RecipientFile(path, **options).rows(sending.required)))


def _texts(found: list[Message | RowProblem]) -> list[str]:
    """Return the texts of messages, and the lines of problems."""
    return [one.text if isinstance(one, Message) else str(one) for one in found]


@pytest.mark.parametrize(
    "spelling",
    [
        "+13343284472",
        " +1 334 328 4472 ",
        "(334) 328-4472",
        "334.328.4472",
        "3343284472",
        "13343284472",
        "1-334-328-4472",
        "+1 334\u2011328\u20114472",
        "\u202a+13343284472\u202c",
        "+1\u00a0334\u00a0328\u00a04472",
    ],
)
def test_numbers_are_sent_in_e164(spelling: str) -> None:
    """A number may be spelled in any usual way, and without + it is a North American one, as in the API."""
    assert e164(spelling) == "+13343284472"


def test_numbers_from_abroad() -> None:
    """A number with + may be from any country."""
    assert e164("+44 20 7183 8750") == "+442071838750"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "n/a",
        "1-800-FLOWERS",
        "+1 334 328 4472 ext 5",
        "1.33433E+10",
        "++13343284472",
        "+1555123456",
        "0013343284472",
        "442071838750",
        "3343284472 3343284473",
        "\uff0b\uff11\uff13\uff13\uff14\uff13\uff12\uff18\uff14\uff14\uff17\uff12",
        "ann@example.com",
        "(",
        "+1" * 40,
    ],
)
def test_what_is_not_a_number(text: str) -> None:
    """Letters, extensions, two numbers and impossible ones are not sent to anybody."""
    assert e164(text) is None


GOOD: dict[str, str | bytes] = {
    "plain": HEAD + ANN,
    "without a last newline": HEAD + "+13343284472,Ann",
    "Windows": (HEAD + ANN).replace("\n", "\r\n"),
    "an old Mac": (HEAD + ANN).replace("\n", "\r"),
    "with a byte order mark": b"\xef\xbb\xbf" + (HEAD + ANN).encode(),
    "semicolons": (HEAD + ANN).replace(",", ";"),
    "tabs": (HEAD + ANN).replace(",", "\t"),
    "bars": (HEAD + ANN).replace(",", "|"),
    "quoted": '"phone_number","first_name"\n"+13343284472","Ann"\n',
    "spaces in the header": " phone_number , first_name \n+13343284472,Ann\n",
    "other columns": "id,phone_number,,first_name,\n7,+13343284472,,Ann,\n",
    "empty lines": "\n" + HEAD + "\n" + ANN + "\n\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_usual_files_are_read(tmp_path: Path, name: str) -> None:
    """Files as spreadsheets and databases write them have the same message."""
    assert _texts(_read(tmp_path, GOOD[name])) == ["Hi Ann, we open at nine."]


def test_a_quoted_value_may_have_several_lines(tmp_path: Path) -> None:
    """A value may contain the delimiter, quotes and line ends; the next row has the right line number."""
    found = _read(tmp_path, HEAD + '+13343284472,"Ann, ""the\nBrave"""\nx,Bo\n')
    assert _texts(found) == [
        'Hi Ann, "the\nBrave", we open at nine.',
        "line 4, row 2: phone_number is not a valid phone number (one from abroad starts with +)",
    ]


@pytest.mark.parametrize("more", ["", ",x"])
def test_a_quote_must_not_take_in_rows(tmp_path: Path, more: str) -> None:
    """Rows between two stray quotes are valid CSV, but a lost row each: the first one has a problem."""
    head, last = HEAD.replace("\n", ",more\n" if more else "\n"), ANN.replace("\n", f"{more}\n")
    stray = f'+13343284473,"Bo\n+13343284474,Cy\n+13343284475,Di"{more}\n'
    found = _read(tmp_path, head + last + stray + last, delimiter=",")
    assert [str(one) for one in found if isinstance(one, RowProblem)] == [
        "line 3, row 2: has a value that holds another row: a quote may not be closed"
    ]
    assert len(found) == 3


def test_a_value_may_have_lines_with_numbers(tmp_path: Path) -> None:
    """A number on a line of its own, or elsewhere than in the column of numbers, is no row."""
    found = _read(tmp_path, HEAD + '+13343284472,"Ann\n+13343284473\nor, +13343284474"\n')
    assert _texts(found) == ["Hi Ann\n+13343284473\nor, +13343284474, we open at nine."]


def test_a_single_column(tmp_path: Path) -> None:
    """A file may have numbers alone: then nothing is a delimiter."""
    assert _texts(_read(tmp_path, "phone_number\n+13343284472\n", campaign=campaign(text="Hi"))) == ["Hi"]


def test_a_given_delimiter_and_encoding(tmp_path: Path) -> None:
    """Delimiter and encoding can be given."""
    text = "phone_number:first_name\n+13343284472:Zo\u00eb\n"
    found = _read(tmp_path, text.encode("utf-16"), delimiter=":", encoding="utf-16")
    assert _texts(found) == ["Hi Zo\u00eb, we open at nine."]


BAD: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "line 1: the file is empty"),
    "blank": ("\n\n", "line 1: the file is empty"),
    "a header alone": (HEAD, "line 1: the file has no rows"),
    "no header": (ANN, "line 1: the first line names no column phone_number, first_name (its delimiter is ',')"),
    "no such column": ("phone_number\n+13343284472\n", "line 1: the first line names no column first_name"),
    "another name": ("phone;first_name\n1;Ann\n", "names no column phone_number (its delimiter is ';')"),
    "another delimiter": ("phone_number:first_name\n", "the first line names no column phone_number"),
    "a column twice": (HEAD.replace("\n", ",first_name\n"), "line 1: the first line names first_name twice"),
    "a number as column": (HEAD[:-1] + ",+1334,+1334\n", "line 1: the first line names a column twice"),
    "no number": (HEAD + ",Ann\n", "line 2, row 1: phone_number is empty"),
    "a wrong number": (HEAD + ANN + "12345,Bo\n", "line 3, row 2: phone_number is not a valid phone number"),
    "a number of Excel": (HEAD + "1.33433E+10,Bo\n", "line 2, row 1: phone_number is not a valid phone number"),
    "no name": (HEAD + ANN + "+13343284473,\n", "line 3, row 2: first_name is empty"),
    "a blank name": (HEAD + "+13343284473,  \n", "line 2, row 1: first_name is empty"),
    "too few fields": (HEAD + "+13343284472\n", "line 2, row 1: has 1 fields, but the first line has 2"),
    "too many fields": (HEAD + "+13343284472,Ann,x\n", "line 2, row 1: has 3 fields, but the first line has 2"),
    "an open quote": (HEAD + ANN + '+13343284473,"Bo\n' + ANN, "line 3, row 2: has a quote that is not closed"),
    "an open quote in the header": ('"phone_number,first_name\n' + ANN, "line 1: has a quote that is not closed"),
    "an open quote, far": (HEAD + '+13343284473,"Bo\n' + ANN * 9_000, "line 2, row 1: has a field of more than"),
    "text after a quote": (HEAD + '+13343284473,"Bo" x\n', "line 2, row 1: has a quote that is not closed, or that"),
    "a NUL": (HEAD + "+13343284472,A\0nn\n", "line 2, row 1: has a NUL character"),
    "a NUL in the header": ("phone_\0number\n", "line 1: has a NUL character"),
    "latin-1": ((HEAD + "+13343284472,Zo\u00eb\n").encode("latin-1"), "line 2, row 1: has a character that cannot be"),
    "latin-1 in the header": ("phone_number,pr\u00e9nom\n".encode("latin-1"), "line 1: has a character that cannot be"),
    "utf-16": ((HEAD + ANN).encode("utf-16"), "line 1: has a"),
    "surrogates": (HEAD + "+13343284472,\ud800\n", "line 2, row 1: has a character that cannot be decoded"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "line 1: has a character that cannot be decoded"),
    "open quotes": (HEAD + '"' + 'a\n","' * 220_000, "line 2, row 1: is longer than 1,048,576 characters: a quote"),
    "a long text": (HEAD + "+13343284472," + "a" * 20_000, "row 1: the text is longer than 20,000 characters"),
    "a long line": (HEAD + "+13343284472," + "a" * MAX_LINE, "line 2, row 1: is longer than 1,048,576 characters"),
}
BAD_JSON: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "line 1: the file is empty"),
    "not JSON": ("{'phone_number': 1}\n", "line 1, row 1: is not JSON"),
    "cut": ('{"phone_number": "+13343284472", "first_na', "line 1, row 1: is not JSON"),
    "a list": ("\n[1]\n", "line 2, row 1: is not an object"),
    "deep": ("[" * 5_000 + "\n", "line 1, row 1: is not JSON"),
    "no number": ('{"first_name": "Ann"}\n', "line 1, row 1: phone_number is empty"),
    "null": ('{"phone_number": null, "first_name": "Ann"}\n', "line 1, row 1: phone_number is empty"),
    "a list for a text": ('{"phone_number": "+13343284472", "first_name": ["Ann"]}', "first_name is not a text"),
    "a truth value": ('{"phone_number": "+13343284472", "first_name": true}', "first_name is not a text"),
    "a NUL": ('{"a": "\0"}\n', "line 1, row 1: has a NUL character"),
    "an escaped NUL": ('{"phone_number": "+13343284472", "first_name": "\\u0000"}', "first_name has a NUL character"),
    "a surrogate": ('{"phone_number": "+13343284472", "first_name": "\\ud800"}\n', "line 1, row 1: is not JSON"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused(tmp_path: Path, name: str) -> None:
    """Whatever is wrong with a file is one problem with its line, and its row if it is in one."""
    content, expected = BAD[name]
    problems = [one for one in _read(tmp_path, content) if isinstance(one, RowProblem)]
    assert len(problems) == 1
    assert expected in str(problems[0])


@pytest.mark.parametrize("name", BAD_JSON)
def test_bad_json_is_refused(tmp_path: Path, name: str) -> None:
    """Whatever is wrong with a line of JSON is one problem."""
    content, expected = BAD_JSON[name]
    (problem,) = _read(tmp_path, content, "people.jsonl")
    assert expected in str(problem)


def test_every_row_is_checked(tmp_path: Path) -> None:
    """A row may have several problems, and those after it are found, too."""
    found = _read(tmp_path, HEAD + "12,\n+13343284472\n" + ANN + ",\n")
    assert [(one.line, one.row) for one in found if isinstance(one, RowProblem)] == [
        (2, 1),
        (2, 1),
        (3, 2),
        (5, 4),
        (5, 4),
    ]


def test_json_lines(tmp_path: Path) -> None:
    """JSON Lines have texts and whole numbers; empty lines and other members are ignored."""
    people = [{"phone_number": 13343284472, "first_name": "Ann", "tags": [1]}, {"phone_number": number(7)}]
    lines = "\n\n".join(map(json.dumps, people))
    sending = campaign(text="Hi {first_name|there}")
    assert _texts(_read(tmp_path, lines, "people.ndjson", campaign=sending)) == ["Hi Ann", "Hi there"]


def test_the_columns_of_a_row(tmp_path: Path) -> None:
    """A row may have its own text, row id, attachment and URL. The body is the same whatever the folder is."""
    (tmp_path / "a.png").write_bytes(b"png")
    columns = Columns(row_id="order", text="message", attachment="file", attachment_url="url")
    sending = campaign(text=None, columns=columns)
    head = "phone_number,order,message,file,url\n"
    found = _read(
        tmp_path,
        f"{head}3343284472,7,Hi {{x}},{tmp_path}/a.png,https://example.com/a.pdf\n3343284472,8,Yo,,\n",
        campaign=sending,
    )
    first, second = found
    assert isinstance(first, Message)
    assert isinstance(second, Message)
    assert (first.text, first.row_id, second.row_id) == ("Hi {x}", "7", "8")
    assert first.key != second.key
    body = json.loads(first.body)
    assert body["attachments"] == [{"path": str(tmp_path / "a.png"), "filename": "a.png", "content_type": "image/png"}]
    assert body["attachment_urls"] == ["https://example.com/a.pdf"]
    assert json.loads(second.body)["attachments"] == []


def test_several_attachments(tmp_path: Path) -> None:
    """JSON Lines may have lists of paths and URLs."""
    (tmp_path / "a.png").write_bytes(b"png")
    row = {
        "phone_number": number(1),
        "f": [str(tmp_path / "a.png")] * 2,
        "u": ["https://example.com/a", "http://b.example"],
    }
    sending = campaign(text="Hi", columns=Columns(attachment="f", attachment_url="u"))
    (found,) = _read(tmp_path, json.dumps(row), "people.jsonl", campaign=sending)
    assert isinstance(found, Message)
    body = json.loads(found.body)
    assert [len(body["attachments"]), body["attachment_urls"]] == [2, row["u"]]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"f": "nowhere.png"}, "f is not a file"),
        ({"f": ["a\0b"]}, "f is not a file"),
        ({"f": "a" * 300}, "f is not a file"),
        ({"f": ["a"] * 101}, "f has more than 100 entries"),
        ({"f": 7}, "f is neither a text nor a list of texts"),
        ({"u": [7]}, "u is neither a text nor a list of texts"),
        ({"u": "example.com"}, "attachment_urls[0] must be an http or https URL"),
        ({"id": " "}, "id is empty"),
        ({"id": "7" * 201}, "id is longer than 200 characters"),
        ({"id": "7\0"}, "id has a NUL character"),
        ({"m": " "}, "the text is empty"),
    ],
)
def test_a_bad_column_is_refused(tmp_path: Path, row: dict[str, Any], expected: str) -> None:
    """A missing file, a bad URL, an empty id and an empty text are problems of their row."""
    sending = campaign(text=None, columns=Columns(row_id="id", text="m", attachment="f", attachment_url="u"))
    whole = {"phone_number": number(1), "id": "7", "m": "Hi", **row}
    (found,) = _read(tmp_path, json.dumps(whole), "people.jsonl", campaign=sending)
    assert str(found) == f"line 1, row 1: {expected}"


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"name": " "}, "name"),
        ({"name": "a" * 201}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"senders": []}, "senders"),
        ({"senders": LINE}, "senders"),
        ({"senders": ["12345"]}, "senders"),
        ({"text": None}, "text"),
        ({"text": ""}, "text"),
        ({"text": "Hi {"}, "text"),
        ({"text": "\ud800"}, "text"),
        ({"text": "Hi", "columns": Columns(text="m")}, "text"),
    ],
)
def test_a_bad_campaign_is_refused(changes: dict[str, Any], argument: str) -> None:
    """A campaign without name, line or text is refused by argument."""
    with pytest.raises(InvalidArgumentError, match=f"^{argument} "):
        campaign(**changes)


def test_lines_are_spelled_freely() -> None:
    """The lines of a campaign are read like the numbers of a file, each once."""
    assert campaign(senders=["(517) 526-9229", LINE, OTHER_LINE]).senders == (LINE, OTHER_LINE)


def test_a_campaign_shows_no_text() -> None:
    """The repr of a campaign, a message and a row shows neither numbers nor texts."""
    shown = repr(Campaign(name="may", senders=[LINE], text=TEXT))
    assert LINE not in shown
    assert "nine" not in shown


@pytest.mark.parametrize("options", [{"encoding": "utf-99"}, {"delimiter": ",,"}, {"delimiter": '"'}])
def test_a_bad_format_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    """An unknown encoding and an impossible delimiter are refused by argument."""
    with pytest.raises(InvalidArgumentError, match=f"^{next(iter(options))} "):
        RecipientFile(tmp_path / "people.csv", **options)


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that cannot be read is an error without its path."""
    source = RecipientFile(tmp_path / "people.csv")
    for read in (source.fingerprint, lambda: list(source.rows()), lambda: read_suppressed(tmp_path / "people.csv")):
        with pytest.raises(BulkInputError, match=r"^the file does not exist$"):
            read()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """What would block or never end is not opened."""
    source = RecipientFile(tmp_path / "pipe.csv")
    os.mkfifo(source.path)
    for read in (source.fingerprint, lambda: list(source.rows())):
        with pytest.raises(BulkInputError, match=r"^the file is not a regular file$"):
            read()


def test_a_text_is_measured_before_it_is_built(tmp_path: Path) -> None:
    """A long value in a text with many fields takes no memory."""
    many = campaign(text="{first_name}" * 10_000)
    (found,) = _read(tmp_path, HEAD + f"+13343284472,{'a' * 100_000}\n", campaign=many)
    assert str(found) == "line 2, row 1: the text is longer than 20,000 characters"


def test_a_hostile_sample_takes_no_time(tmp_path: Path) -> None:
    """A file of quotes is refused at once: finding the delimiter would take a minute if it saw all of them."""
    found = _read(tmp_path, '"\n' * 500_000)
    assert isinstance(found[0], RowProblem)


@given(
    st.binary(max_size=300), st.sampled_from(["a.csv", "a.jsonl"]), st.sampled_from(["utf-8-sig", "utf-16", "cp1252"])
)
def test_any_bytes_are_read(content: bytes, name: str, encoding: str) -> None:
    """No bytes lead to another exception than the documented ones: they are rows or problems."""
    with tempfile.TemporaryDirectory() as folder:
        found = _read(Path(folder), b"phone_number,first_name\n" + content, name, encoding=encoding)
    assert all(isinstance(one, Message | RowProblem) for one in found)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1))
def test_any_values_are_kept(values: list[str]) -> None:
    """Whatever values a CSV file has, the texts have them, row by row."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([["phone_number", "first_name"], *[[number(1), value] for value in values]])
    with tempfile.TemporaryDirectory() as folder:
        found = _read(Path(folder), file.getvalue(), campaign=campaign(text="<{first_name|}>"), delimiter=",")
    assert _texts(found) == [f"<{value.strip()}>" for value in values]


def test_half_a_character(tmp_path: Path) -> None:
    """A file that ends in the middle of a character of two bytes has a problem."""
    found = _read(tmp_path, (HEAD + ANN).encode("utf-16") + b"A", encoding="utf-16")
    assert "has a character that cannot be decoded" in str(found[-1])


def test_a_suppression_list(tmp_path: Path) -> None:
    """A list has a number in each line, with or without a header."""
    path = tmp_path / "stop.txt"
    path.write_text(f'phone_number\n"{number(1)}"\n\n(334) 328-0002\n{number(1)}\n')
    assert read_suppressed(path) == {number(1), number(2)}


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"Ann Smith\n", "line 1"), (b"+13343284472\nphone_number\n", "line 2"), (b"\xff\n", "line 1: has a character")],
)
def test_a_bad_suppression_list_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    """A line that is not a number may be someone who has opted out, so it is never skipped."""
    path = tmp_path / "stop.txt"
    path.write_bytes(content)
    with pytest.raises(BulkInputError, match=f"^the suppression list has problems\n{expected}"):
        read_suppressed(path)


def test_the_extra_is_named_if_it_is_missing() -> None:
    """Without the extra, the import says which one is needed."""
    code = "import sys; sys.modules['phonenumbers'] = None; import linq_async.bulk"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.endswith("ModuleNotFoundError: linq_async.bulk needs an extra: pip install 'linq_async[bulk]'\n")
