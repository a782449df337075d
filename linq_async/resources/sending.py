"""Sending a message: its key is checked before, its response is compared after."""

from __future__ import annotations

import asyncio
import logging
import operator
import time
from typing import TypeVar, cast

from linq_async.errors import InvalidArgumentError, KeyReusedError, LinqError, Outcome, Problem
from linq_async.key_memory import Claim
from linq_async.models.chats import CreatedChat
from linq_async.models.messages import SentMessage
from linq_async.models.outgoing import DerivedKey, NewChat, NewMessage, new_idempotency_key
from linq_async.pipeline import Pipeline
from linq_async.wire.comparison import (
    Likeness,
    missing_recipients,
    recipients_likeness,
    stored_before,
    text_likeness,
    verdict,
)
from linq_async.wire.request import Request
from linq_async.wire.response import request_id
from linq_async.wire.target import target_of

logger: logging.Logger = logging.getLogger("linq_async")

_phone_number = operator.attrgetter("phone_number")

Sent = TypeVar("Sent", CreatedChat, SentMessage)


async def send_message(pipeline: Pipeline, request: Request, message: NewMessage, returns: type[Sent]) -> Sent:
    """Send a message, which is the body of the request, and return the server's view of it.

    This is where a message without a key gets one. Nothing else can be stored under a random key, so nothing is checked
    or compared. A key of the caller's is checked against the messages that it was used with before, and the response
    is compared with the message. A DerivedKey is not checked, and a response with another message is only logged.

    Raises:
        InvalidArgumentError: If the client has already used the key with another message.
        KeyReusedError: If the response shows another message under the key.
        LinqError: If ``Pipeline.send`` fails.
    """
    given = message.idempotency_key
    if given is None:
        key_source = pipeline.settings.key_source
        given = None if key_source is None else DerivedKey(key_source(target_of(request)))
    request.idempotency_key = new_idempotency_key() if given is None else given
    # While the machine sleeps, only the second clock goes on.
    started, on_wall = (0.0, 0.0) if given is None else (pipeline.timing.clock(), time.time())
    older: bool | None = None
    claim = None if given is None or isinstance(given, DerivedKey) else await _claim(pipeline, request, message)
    try:
        call = await pipeline.send(request)
        result = call.decode("data", returns)
        result.idempotency_key, result.attempts = call.idempotency_key, call.attempts
        result.request_id = request_id(call.raw.headers)
        if isinstance(result, SentMessage):
            result.replayed = call.raw.status == 200
        if given is not None:
            shown = result if isinstance(result, SentMessage) else result.message
            elapsed = max(pipeline.timing.clock() - started, time.time() - on_wall)
            older = stored_before(shown.sent_at, call.raw.headers.get("Date"), elapsed)
            if isinstance(result, CreatedChat):
                result.replayed = older
            if claim is None:
                _note_held_back(result, request, message)
            elif not claim.use.generated:
                _compare(result, request, message, older=older, repeats=claim.repeats)
    except KeyReusedError as error:
        outcome = error.outcome
        if error.result.replayed and older is not False:  # the key was in use before: this call has stored nothing
            outcome = Outcome.NOT_SENT if older else request.failed
        _end_claim(pipeline, request, claim, outcome)
        raise
    except LinqError as error:
        _end_claim(pipeline, request, claim, error.outcome)
        raise
    except asyncio.CancelledError:
        _end_claim(pipeline, request, claim, request.failed)
        raise
    except BaseException:
        _end_claim(pipeline, request, claim, Outcome.UNKNOWN)
        raise
    if claim is not None:
        claim.release(Outcome.SENT)
    if message.attachments or message.attachment_urls:
        _count_missing_attachments(result, request, message)
    if isinstance(result, CreatedChat) and isinstance(message, NewChat):
        _find_missing_recipients(result, request, message)
    return result


async def _claim(pipeline: Pipeline, request: Request, message: NewMessage) -> Claim:
    """Claim the caller's key for the message.

    Raises:
        InvalidArgumentError: If the key was used with another message.
        LinqError: If an attachment cannot be measured.
    """
    try:
        request.sizes = await pipeline.measure(message) if message.attachments else []
    except LinqError as error:
        error.operation, error.idempotency_key = request.operation, request.idempotency_key
        raise
    claim = pipeline.keys.claim(pipeline.settings.token, request)
    if claim is None:
        refused = InvalidArgumentError([_KEY_REUSED], operation=request.operation)
        refused.idempotency_key = request.idempotency_key
        raise refused
    return claim


def _end_claim(pipeline: Pipeline, request: Request, claim: Claim | None, outcome: Outcome) -> None:
    """Record how a call has failed. Its error hands a generated key to the caller, who may use it from now on."""
    if claim is not None:
        claim.release(outcome)
    elif outcome is not Outcome.NOT_SENT and not isinstance(request.idempotency_key, DerivedKey):
        pipeline.keys.remember_generated(pipeline.settings.token, request, outcome)


def _note_held_back(result: CreatedChat | SentMessage, request: Request, message: NewMessage) -> None:
    """Log if the server kept another message under a derived key: an earlier run has sent it in place of this one.

    Not an error, because each further run would end in it, too. Not logged if the server may have rewritten the text.
    """
    if isinstance(result, SentMessage) and not result.replayed:
        return
    from_before = result.replayed and request.failed is Outcome.NOT_SENT  # not by an attempt of this call
    if max(_likeness(result, message).values()) >= (Likeness.UNLIKE if from_before else Likeness.OTHER):
        result.replayed = True
        text = (
            "%s: held back: another message was sent before under key %s, by an earlier run, "
            "or by a bot that shares this one's name: two bots need two names"
        )
        logger.warning(text, request.operation, request.idempotency_key)


def _compare(
    result: CreatedChat | SentMessage, request: Request, message: NewMessage, *, older: bool | None, repeats: bool
) -> None:
    """Compare the response with the message; ``older`` is whether it was stored before the call, by its times.

    Raises:
        KeyReusedError: If the response shows another message.
    """
    likeness = _likeness(result, message)
    worst = max(likeness.values())
    replayed = result.replayed is True and older is not False
    may_be_ours = repeats or (older is not True and request.failed is not Outcome.NOT_SENT)
    outcome = verdict(worst, replayed=replayed, may_be_ours=may_be_ours)
    if outcome is None:
        return
    differing = " and ".join(name for name, found in likeness.items() if found is worst)
    error = KeyReusedError(_REASONS[outcome].format(differing), result=result, outcome=outcome)
    error.operation, error.idempotency_key = request.operation, result.idempotency_key
    error.attempts, error.request_id = result.attempts, result.request_id
    raise error


def _likeness(result: CreatedChat | SentMessage, message: NewMessage) -> dict[str, Likeness]:
    """Return how similar each part of the response is. A function, because its frame holds phone numbers."""
    if isinstance(result, SentMessage):  # the response does not show the chat's participants
        return {"text": text_likeness(message.text, result.text)}
    chat = cast("NewChat", message)
    shown = [handle.phone_number for handle in result.chat_handles]
    people = recipients_likeness(chat.phone_numbers, chat.send_from, shown)
    return {"recipients": people, "text": text_likeness(chat.text, result.message.text)}


def _count_missing_attachments(result: CreatedChat | SentMessage, request: Request, message: NewMessage) -> None:
    """Set the number of attachments that are missing from the response, and log a warning."""
    given = len(message.attachments) + len(message.attachment_urls)
    shown = len(result.attachments if isinstance(result, SentMessage) else result.message.attachments)
    result.missing_attachments = max(given - shown, 0)
    _warn(request, result.missing_attachments, given, "attachments")


def _find_missing_recipients(result: CreatedChat, request: Request, chat: NewChat) -> None:
    """Set the recipients that are missing from the response, and log a warning that names none of them."""
    shown = tuple(map(_phone_number, result.chat_handles))
    if shown == chat.phone_numbers:  # the common case: the same people, with the same spelling and order
        return
    result.missing_recipients = missing_recipients(chat.phone_numbers, chat.send_from, shown)
    _warn(request, len(result.missing_recipients), len(chat.phone_numbers), "recipients")


def _warn(request: Request, missing: int, given: int, what: str) -> None:
    if missing:
        text = "%s: sent, but %d of %d %s are missing from the response, key %s"
        logger.warning(text, request.operation, missing, given, what, request.idempotency_key)


_KEY_REUSED = Problem("idempotency_key", "was used with another message before: each message needs its own key")
_REASONS = {
    Outcome.NOT_SENT: "the key belongs to an earlier message, which differs in its {}; this message was not sent",
    Outcome.UNKNOWN: "the key may belong to an earlier message: the message in the response differs in its {}",
}
