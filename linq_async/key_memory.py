"""Remembers the idempotency keys that callers use, each with a digest of its message."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Iterator

import attrs

from linq_async.errors import Outcome
from linq_async.models.outgoing import NewChat
from linq_async.wire.comparison import address
from linq_async.wire.request import Request

REMEMBERED = 10_000
"""The maximum number of keys that a client remembers, besides those of calls in progress."""


@attrs.define(eq=False)
class KeyUse:
    """The use of one key. Contains nothing of the message in clear text."""

    digest: bytes = attrs.field(repr=False)
    calls: int = 0
    """The number of calls in progress with this key."""
    may_be_stored: bool = False
    """Whether a call with this key has ended with another outcome than NOT_SENT: the server may have its message."""
    generated: bool = False
    """Whether the key was generated for this message, so that no other message can be stored under it."""


@attrs.frozen(eq=False)
class Claim:
    """The right of one call to use a key."""

    memory: KeyMemory
    index: bytes = attrs.field(repr=False)
    use: KeyUse
    repeats: bool
    """Whether another call may have stored the same message under the key."""

    def release(self, outcome: Outcome) -> None:
        """End the claim with the outcome of the call."""
        self.memory.release(self.index, self.use, outcome)


class KeyMemory:
    """Remembers the most recent keys, separately for each token. Clients that share a transport share one."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._secret = secrets.token_bytes(32)  # prevents guessing a short text from its digest
        self._in_progress: dict[bytes, KeyUse] = {}
        # A dict would find its oldest key ever more slowly.
        self._remembered: OrderedDict[bytes, KeyUse] = OrderedDict()

    def __len__(self) -> int:
        return len(self._in_progress) + len(self._remembered)

    def claim(self, token: str, request: Request) -> Claim | None:
        """Claim the key of a request for its message, or return None if the key was used with another message.

        The attachments must have been measured. Never raises, because this frame holds the token.
        """
        index, digest = self._digest([token, request.idempotency_key or ""]), self._digest(_content(request))
        use = self._in_progress.get(index) or self._remembered.get(index)
        if use is None:
            use = KeyUse(digest)
        elif use.digest != digest:
            return None
        self._remembered.pop(index, None)
        self._in_progress[index] = use
        use.calls += 1
        return Claim(self, index, use, repeats=use.may_be_stored or use.calls > 1)

    def release(self, index: bytes, use: KeyUse, outcome: Outcome) -> None:
        """End a claim. The key is forgotten if all calls with it have ended NOT_SENT."""
        use.calls -= 1
        use.may_be_stored = use.may_be_stored or outcome is not Outcome.NOT_SENT
        if use.calls:
            return
        del self._in_progress[index]
        if use.may_be_stored:
            self._remembered[index] = use
            if len(self._remembered) > self._limit:
                self._remembered.popitem(last=False)

    def remember_generated(self, token: str, request: Request, outcome: Outcome) -> None:
        """Remember a generated key whose call has failed: its error gives the key to the caller."""
        message = request.message
        if message is None or len(message.attachments) != len(request.sizes or ()):  # not measured
            return
        claim = self.claim(token, request)
        if claim is not None:
            claim.use.generated = True
            claim.release(outcome)

    def _digest(self, parts: Iterable[str]) -> bytes:
        joined = "".join([f"{len(part)}:{part}" for part in parts])  # the lengths keep adjacent parts apart
        return hashlib.blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=16, key=self._secret).digest()


def _content(request: Request) -> Iterator[str]:
    """Yield everything that identifies the message: its destination and its content. Each part starts with its kind."""
    message = request.message
    assert message is not None
    yield f"to {request.operation} {request.path}"  # the path contains the chat's id
    if isinstance(message, NewChat):
        yield f"from {address(message.send_from) or message.send_from}"
        yield from sorted({f"number {address(number) or number}" for number in message.phone_numbers})
    yield f"text {message.text}"
    files = zip(message.uploads(), request.sizes or (), strict=True)
    yield from sorted(f"file {size} {upload.filename}" for upload, size in files)
    yield from sorted(f"url {url}" for url in message.attachment_urls)
