"""How a message is sent: its key guarded before, and its answer compared after."""

from __future__ import annotations

import asyncio
import logging
from typing import TypeVar, cast

from linq_async.errors import InvalidArgumentError, KeyReusedError, LinqError, Outcome, Problem
from linq_async.key_memory import Claim
from linq_async.models.chats import CreatedChat
from linq_async.models.messages import SentMessage
from linq_async.models.outgoing import DerivedKey, NewChat, NewMessage
from linq_async.pipeline import Pipeline
from linq_async.wire.answer import Answer
from linq_async.wire.comparison import (
    Likeness,
    missing_recipients,
    recipients_likeness,
    stored_before,
    text_likeness,
    verdict,
)
from linq_async.wire.request import Request

logger = logging.getLogger("linq_async")

Sent = TypeVar("Sent", CreatedChat, SentMessage)


async def send_message(pipeline: Pipeline, request: Request, message: NewMessage, returns: type[Sent]) -> Sent:
    """Send a message, which is the request's body, and return what the answer shows of it.

    A key that the message has none of is the pipeline's own, made for it alone: nothing is guarded or compared. A key
    of the caller's is guarded against another message, and the answer compared with this one; a DerivedKey is only
    compared. Raises KeyReusedError, and what ``Pipeline.send`` raises.
    """
    given = message.idempotency_key
    started = 0.0 if given is None else pipeline.timing.clock()
    claim = None if given is None or isinstance(given, DerivedKey) else await _claim(pipeline, request, message)
    try:
        answer = await pipeline.send(request)
        result = answer.decode("data", returns)
        result.idempotency_key, result.attempts = answer.idempotency_key, answer.attempts
        result.request_id = answer.request_id
        if given is not None or returns is SentMessage:
            _note_replay(result, answer, pipeline.timing.clock() - started)
        if given is not None and not (claim is not None and claim.use.made_here):
            _compare(result, request, message, repeats=claim is not None and claim.repeats)
    except KeyReusedError as error:  # if the message was there before, this call has stored none
        _settle(pipeline, request, claim, request.failed if error.result.replayed else error.outcome)
        raise
    except LinqError as error:
        _settle(pipeline, request, claim, error.outcome)
        raise
    except asyncio.CancelledError:
        _settle(pipeline, request, claim, request.failed)
        raise
    except BaseException:
        _settle(pipeline, request, claim, Outcome.UNKNOWN)
        raise
    if claim is not None:
        claim.release(Outcome.SENT)
    if message.attachments or message.attachment_urls:
        _note_missing_attachments(result, request, message)
    if isinstance(result, CreatedChat) and isinstance(message, NewChat):
        _note_missing_recipients(result, request, message)
    return result


async def _claim(pipeline: Pipeline, request: Request, message: NewMessage) -> Claim:
    """Claim the caller's key for the message. Raises InvalidArgumentError if it was given for another one."""
    try:
        request.sizes = await pipeline.measure(message) if message.attachments else []
    except LinqError as error:
        error.idempotency_key = request.idempotency_key
        raise
    claim = pipeline.keys.claim(pipeline.settings.token, request)
    if claim is None:
        refused = InvalidArgumentError([_REUSED])
        refused.idempotency_key = request.idempotency_key
        raise refused
    return claim


def _settle(pipeline: Pipeline, request: Request, claim: Claim | None, outcome: Outcome) -> None:
    """Note how a call with a key has failed; a key of our own is the caller's from now on."""
    if claim is not None:
        claim.release(outcome)
    elif outcome is not Outcome.NOT_SENT and request.message is not None and request.message.idempotency_key is None:
        pipeline.keys.note_made_here(pipeline.settings.token, request, outcome)


def _note_replay(result: CreatedChat | SentMessage, answer: Answer, elapsed: float) -> None:
    """Note whether the server had the message before: by the status, or by the server's clock."""
    if isinstance(result, SentMessage):
        result.replayed = answer.raw.status == 200
    else:
        result.replayed = stored_before(result.message.sent_at, answer.raw.headers.get("Date"), elapsed)


def _compare(result: CreatedChat | SentMessage, request: Request, message: NewMessage, *, repeats: bool) -> None:
    """Compare the answer with the message. Raises KeyReusedError if it shows another."""
    likeness = _likeness(result, message)
    may_be_ours = repeats or request.failed is not Outcome.NOT_SENT
    outcome = verdict(likeness, replayed=result.replayed is True, may_be_ours=may_be_ours)
    if outcome is None:
        return
    error = KeyReusedError(_REASONS[outcome], result=result, outcome=outcome)
    error.idempotency_key, error.attempts, error.request_id = result.idempotency_key, result.attempts, result.request_id
    raise error


def _likeness(result: CreatedChat | SentMessage, message: NewMessage) -> Likeness:
    if isinstance(result, SentMessage):  # its chat, and so its people, are not in the answer
        return text_likeness(message.text, result.text)
    chat = cast("NewChat", message)
    shown = [handle.phone_number for handle in result.chat_handles]
    people = recipients_likeness(chat.phone_numbers, chat.send_from, shown)
    return max(people, text_likeness(chat.text, result.message.text))


def _note_missing_attachments(result: CreatedChat | SentMessage, request: Request, message: NewMessage) -> None:
    """Note how many attachments the answer lacks, and warn of them."""
    given = len(message.attachments) + len(message.attachment_urls)
    shown = len(result.attachments if isinstance(result, SentMessage) else result.message.attachments)
    result.missing_attachments = max(given - shown, 0)
    _warn(request, result.missing_attachments, given, "attachments")


def _note_missing_recipients(result: CreatedChat, request: Request, chat: NewChat) -> None:
    """Note the recipients that the answer lacks, and warn of them without naming any."""
    handles, numbers = result.chat_handles, chat.phone_numbers
    if len(handles) == len(numbers):
        for handle, number in zip(handles, numbers, strict=True):
            if handle.phone_number != number:
                break
        else:  # nearly always: the same people, spelled and ordered in the same way
            return
    shown = [handle.phone_number for handle in handles]
    result.missing_recipients = missing_recipients(chat.phone_numbers, chat.send_from, shown)
    _warn(request, len(result.missing_recipients), len(chat.phone_numbers), "recipients")


def _warn(request: Request, missing: int, given: int, what: str) -> None:
    if missing:
        text = "%s: sent, but the answer does not show %d of %d %s, key %s"
        logger.warning(text, request.operation, missing, given, what, request.idempotency_key)


_REUSED = Problem("idempotency_key", "was given before with another message: each message needs a key of its own")
_REASONS = {
    Outcome.NOT_SENT: "the key belongs to an earlier message, which the server has kept; this one was not sent",
    Outcome.UNKNOWN: "the key may belong to an earlier message: the one that the server shows differs from this one",
}
