"""The keys that callers gave a client, each with a digest of the message that it was given for."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator

import attrs

from linq_async.errors import Outcome
from linq_async.models.outgoing import NewChat
from linq_async.wire.comparison import address
from linq_async.wire.request import Request

REMEMBERED = 10_000
"""Keys that a client remembers at the most, beside those of calls under way."""


@attrs.define(eq=False)
class KeyUse:
    """What one key was given for. Holds nothing of the message in clear."""

    digest: bytes = attrs.field(repr=False)
    calls: int = 0
    """Calls with it that are under way."""
    stays: bool = False
    """Whether a call with it has ended otherwise than NOT_SENT, so that the server may have its message."""
    made_here: bool = False
    """Whether it was made for this very message, so that no other can be stored under it."""


@attrs.frozen(eq=False)
class Claim:
    """One call's right to use a key."""

    memory: KeyMemory
    index: bytes = attrs.field(repr=False)
    use: KeyUse
    repeats: bool
    """Whether another call may have stored this very message under the key."""

    def release(self, outcome: Outcome) -> None:
        """Note how the call has ended."""
        self.memory.release(self.index, self.use, outcome)


class KeyMemory:
    """Remembers the last keys. One memory serves the clients that share connections; tokens are kept apart."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._secret = secrets.token_bytes(32)  # so that a short text cannot be guessed from its digest
        self._under_way: dict[bytes, KeyUse] = {}
        self._remembered: dict[bytes, KeyUse] = {}

    def __len__(self) -> int:
        return len(self._under_way) + len(self._remembered)

    def claim(self, token: str, request: Request) -> Claim | None:
        """Claim the key of a request for its message; None if the key was given for another one.

        The attachments have been measured. Nothing is raised here: this frame holds the token.
        """
        index, digest = self._digest([token, request.idempotency_key or ""]), self._digest(_content(request))
        use = self._under_way.get(index) or self._remembered.get(index)
        if use is None:
            use = KeyUse(digest)
        elif use.digest != digest:
            return None
        self._remembered.pop(index, None)
        self._under_way[index] = use
        use.calls += 1
        return Claim(self, index, use, repeats=use.stays or use.calls > 1)

    def release(self, index: bytes, use: KeyUse, outcome: Outcome) -> None:
        """End a claim: a key whose calls have all ended NOT_SENT is forgotten."""
        use.calls -= 1
        use.stays = use.stays or outcome is not Outcome.NOT_SENT
        if use.calls:
            return
        del self._under_way[index]
        if use.stays:
            self._remembered[index] = use
            if len(self._remembered) > self._limit:
                del self._remembered[next(iter(self._remembered))]

    def note_made_here(self, token: str, request: Request, outcome: Outcome) -> None:
        """Remember a key of our own whose call has failed: its error has handed it to the caller."""
        claim = self.claim(token, request) if _is_measured(request) else None
        if claim is not None:
            claim.use.made_here = True
            claim.release(outcome)

    def _digest(self, parts: Iterable[str]) -> bytes:
        spelled = "".join([f"{len(part)}:{part}" for part in parts])  # no part can be taken for the next
        return hashlib.blake2b(spelled.encode("utf-8", "surrogatepass"), digest_size=16, key=self._secret).digest()


def _is_measured(request: Request) -> bool:
    return request.message is not None and len(request.message.attachments) == len(request.sizes or ())


def _content(request: Request) -> Iterator[str]:
    """Spell all that makes a message this one: where it goes, and what it says. Each part begins with its kind."""
    message = request.message
    assert message is not None
    yield f"to {request.operation} {request.path}"  # the id of the chat is in the path
    if isinstance(message, NewChat):
        yield f"from {address(message.send_from) or message.send_from}"
        yield from sorted({f"number {address(number) or number}" for number in message.phone_numbers})
    yield f"text {message.text}"
    files = zip(message.uploads(), request.sizes or (), strict=True)
    yield from sorted(f"file {size} {upload.filename}" for upload, size in files)
    yield from sorted(f"url {url}" for url in message.attachment_urls)
