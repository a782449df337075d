"""linq_async/webhooks/signature.py: only what Linq signed is an event."""

from __future__ import annotations

import pytest

from linq_async import WebhookVerificationError
from linq_async.webhooks import ContactDeleted, sign, unwrap

from .samples import SECRET

BODY = (
    b'{"api_version":"v2","created_at":"2025-09-09T12:00:00-06:00","data":{"id":7001},'
    b'"event_id":"evt_sample_contact_gone","event_type":"contact.deleted"}'
)
SIGNATURE = "sha256=ca584bf94c453424f983c684a0a44727d08a6d77d0550d5d15d6cc94fbec92ec"


def test_the_vector_of_the_contract() -> None:
    """The documented rule gives this signature for this body."""
    assert sign(BODY, SECRET) == sign(BODY.decode(), SECRET.encode()) == SIGNATURE
    assert isinstance(unwrap(BODY, {"x-webhook-signature": SIGNATURE}, SECRET), ContactDeleted)


@pytest.mark.parametrize("index", range(len(BODY)))
def test_one_altered_byte_is_refused(index: int) -> None:
    """A body that differs in one byte is refused."""
    altered = BODY[:index] + bytes([BODY[index] ^ 1]) + BODY[index + 1 :]
    with pytest.raises(WebhookVerificationError) as caught:
        unwrap(altered, {"X-Webhook-Signature": SIGNATURE}, SECRET)
    assert caught.value.reason == "mismatch"
