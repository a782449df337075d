"""Rare requests and settings of the sandbox."""

import aiohttp
import pytest

from linq_async.sandbox import Sandbox
from linq_async.sandbox.rack.params import Params, pairs_of, params_of_json, params_of_pairs
from linq_async.sandbox.refusals import RefusalError

from .calls import Api


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_json_constants_are_malformed(number: str) -> None:
    """NaN and the infinities, which Python's parser accepts, are not JSON."""
    with pytest.raises(RefusalError, match="not valid JSON") as caught:
        params_of_json(f'{{"a": {number}}}'.encode())
    assert caught.value.status == 400


def test_too_many_parameters_are_rejected() -> None:
    """The number of parameters of a query is limited."""
    with pytest.raises(RefusalError, match="Too many parameters"):
        pairs_of("a=1&" * 10_000)


@pytest.mark.parametrize(("names", "expected"), [(["a", "a[]"], "array"), (["a", "a[b]"], "object")])
def test_contradicting_names_are_rejected(names: list[str], expected: str) -> None:
    """A name that is first a value and then a container is malformed."""
    with pytest.raises(RefusalError, match=f"Expected an {expected} in a"):
        params_of_pairs((name, "1") for name in names)


def test_deep_parameters_are_rejected() -> None:
    """The depth of a bracketed name is limited."""
    with pytest.raises(RefusalError, match="nested too deeply"):
        params_of_pairs([("a" + "[b]" * 500, "1")])


@pytest.mark.asyncio
async def test_text_of_a_form_must_be_utf_8(api: Api) -> None:
    """A text part with invalid UTF-8 is malformed."""
    form = aiohttp.MultipartWriter("form-data")
    form.append(b"\xff").set_content_disposition("form-data", name="message[text]")
    assert (await api("POST", "/chats", data=form)).status == 400


def test_names_without_letters_are_ignored() -> None:
    """A parameter whose name has nothing but brackets is ignored."""
    assert params_of_pairs([("[]", "1"), ("a", "2")]) == Params(a="2")


@pytest.mark.asyncio
async def test_scripted_status_without_a_phrase(api: Api, sandbox: Sandbox) -> None:
    """A scripted status that HTTP does not name is answered with the code "error"."""
    sandbox.faults.answer(599)
    reply = await api("GET", "/phone_numbers")
    assert (reply.status, reply.json["errors"][0]["code"]) == (599, "error")


@pytest.mark.asyncio
async def test_attachment_by_url_has_no_bytes(api: Api, sandbox: Sandbox) -> None:
    """Reading an attachment that was given as a URL is an error: the sandbox downloads nothing."""
    await api.create_chat("one", attachment_urls=["https://example.com/menu.pdf"])
    (attachment,) = sandbox.messages[0].attachments
    with pytest.raises(ValueError, match="not downloaded"):
        attachment.read()


@pytest.mark.asyncio
async def test_closing_cancels_the_next_delivery(api: Api, sandbox: Sandbox) -> None:
    """Closing a sandbox cancels the timer of a delivery that is due later."""
    sandbox.deliver_after = 60.0
    await api.create_chat("one")
    timer = sandbox._delivery_status_timer._timer
    assert timer is not None
    await sandbox.close()
    assert timer.cancelled()


def test_changes_show_their_number() -> None:
    """The repr of the changes shows how many there were and how many are kept."""
    assert repr(Sandbox().changes).startswith("<Changes: ")
