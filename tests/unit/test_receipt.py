"""The results of a send."""

from __future__ import annotations

import copy
import pickle

import attrs
import pytest

from linq_async import CreatedChat, CreatedChatMessage, Message, SentMessage, to_dict
from linq_async.models.receipt import Receipt

CHAT = CreatedChat(id=45, message=CreatedChatMessage(id=7), display_name="Sample Chat")
MESSAGE = SentMessage(id=7, text="Hi")


def test_the_fields_of_the_client_follow_those_of_the_server() -> None:
    """Both results list the server's fields first, then their receipt in one order."""
    chat, message = list(to_dict(CHAT)), list(to_dict(MESSAGE))
    assert chat[:6] == ["id", "message", "display_name", "service", "group", "chat_handles"]
    assert chat[6:] == [
        "replayed",
        "missing_attachments",
        "missing_recipients",
        "idempotency_key",
        "attempts",
        "request_id",
    ]
    assert message[:-5] == [field.name for field in attrs.fields(Message)]
    assert message[-5:] == [name for name in chat[6:] if name != "missing_recipients"]


@pytest.mark.parametrize("result", [CHAT, MESSAGE], ids=["chat", "message"])
def test_a_result_is_copied_with_its_receipt(result: Receipt) -> None:
    """Copying and pickling a result keeps the fields of its receipt."""
    sent = copy.deepcopy(result)
    sent.attempts, sent.idempotency_key, sent.missing_attachments, sent.request_id = 3, "key-1", 2, "r-1"
    assert sent != result
    assert copy.copy(sent) == pickle.loads(pickle.dumps(sent)) == sent
    assert copy.copy(sent).idempotency_key == "key-1"


def test_a_receipt_is_not_an_argument() -> None:
    """Neither result accepts the fields of its receipt when it is built."""
    init = {field.name for kind in (CreatedChat, SentMessage) for field in attrs.fields(kind) if field.init}
    assert init.isdisjoint({"replayed", "missing_recipients"} | {field.name for field in attrs.fields(Receipt)})
    assert isinstance(MESSAGE, Message)
