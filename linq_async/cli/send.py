"""``linq-async send``: one message, with an exit code that says what became of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import attrs
import typer

from linq_async.attempts import Attempt
from linq_async.cli.exit_codes import ExitCode
from linq_async.cli.failure import Failure, broken_off, failure_of
from linq_async.cli.inputs import SEND_FROM_VARIABLE, check_given, message_text, recipients
from linq_async.cli.render import facts, hidden, result_of, show, show_json
from linq_async.cli.runtime import AsJson, TokenFile, find_token, is_exposed, run
from linq_async.client import LinqClient
from linq_async.errors import LinqError
from linq_async.models.chats import CreatedChat
from linq_async.models.outgoing import NewChat
from linq_async.models.serialize import to_dict

HELP = """Send a message to one or more people, to the server that LINQ_BASE_URL names.

The token comes from LINQ_INTEGRATION_TOKEN or from --token-file, because other users of the machine can read arguments:
--to among them, for which there is --to-file.
"""


def send(
    send_from: Annotated[
        str | None,
        typer.Option("--from", metavar="NUMBER", envvar=SEND_FROM_VARIABLE, help="One of your own Linq numbers."),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="NUMBER", help="A recipient: +12223334444, or an email address. Repeat it."),
    ] = None,
    to_file: Annotated[
        Path | None,
        typer.Option(
            "--to-file", metavar="PATH", help="Read recipients from a file, one a line; - reads standard input."
        ),
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="What to say; - reads standard input.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="A name for the chat.")] = None,
    attach: Annotated[
        list[Path] | None, typer.Option("--attach", metavar="FILE", help="A file to attach. Repeat it for more.")
    ] = None,
    attach_url: Annotated[
        list[str] | None,
        typer.Option("--attach-url", metavar="URL", help="A public URL that the server fetches. Repeat it for more."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="The idempotency key: the server stores one message for each. Else one is made."),
    ] = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Send one message, and exit with what became of it."""
    check_given(send_from, to, to_file, text)
    if is_exposed(token_file):
        show("warning: other users of this machine can read the token file. Set its mode to 600.", err=True)
    new_chat = NewChat(
        send_from=send_from or "",
        phone_numbers=recipients(to, to_file),
        text=message_text(text or ""),
        display_name=name,
        attachments=attach or (),
        attachment_urls=attach_url or (),
        idempotency_key=key,
    )
    sending = Sending(key=key, as_json=as_json)
    result = sending.result_of(new_chat, token_file)
    raise typer.Exit(sending.tell(result))


@attrs.define(kw_only=True)
class Sending:
    """One send of the command line, and all that is known of its attempts."""

    key: str | None
    """The key of --key; without it the client makes one, which is compared with nothing."""
    as_json: bool
    token: str | None = attrs.field(default=None, repr=False)
    records: list[Attempt] = attrs.field(factory=list[Attempt])

    def result_of(self, new_chat: NewChat, token_file: Path | None) -> CreatedChat | Failure:
        """Send it, whatever happens."""
        try:
            self.token = find_token(token_file)
            linq = LinqClient(self.token, on_attempt=self.note)
            return run(_send(linq, new_chat))
        except LinqError as error:
            return failure_of(error, error.idempotency_key or self.key)
        # A fault of ours must not leave with code 1, which says that nothing was sent.
        except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001
            return broken_off(error, self.records[-1].idempotency_key if self.records else self.key, self.records)

    def note(self, record: Attempt) -> None:
        """Keep the record of an attempt, and tell a waiting person why it takes so long."""
        self.records.append(record)
        if record.wait is not None and not self.as_json:
            show(f"attempt {record.number}: {result_of(record)}; again in {record.wait:.1f} s", err=True)

    def tell(self, result: CreatedChat | Failure) -> ExitCode:
        """Write the result, and return the exit code."""
        code = result.code if isinstance(result, Failure) else ExitCode.OK
        try:
            self._write(result)
        except OSError:  # the reader of the pipe has gone: that must not make a sent message look unsent
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.SENT if code is ExitCode.OK else code
        return code

    def _write(self, result: CreatedChat | Failure) -> None:
        if self.as_json:
            told = result.as_dict() if isinstance(result, Failure) else to_dict(result)
            show_json(hidden(told, self.token))
        if isinstance(result, Failure):
            for line in result.lines():
                show(hidden(line, self.token), err=True)
            return
        for line in [] if self.as_json else _lines(result):
            show(hidden(line, self.token))
        for line in _warnings(result):
            show(line, err=True)


async def _send(linq: LinqClient, new_chat: NewChat) -> CreatedChat:
    async with linq:
        return await linq.chats.send(new_chat)


def _lines(chat: CreatedChat) -> list[str]:
    message = chat.message
    pairs: list[tuple[str, object]] = [
        ("message", message.id),
        ("chat", chat.id),
        ("service", chat.service),
        ("status", message.delivery_status),
        ("key", chat.idempotency_key),
        ("replayed", "yes: the server had it before" if chat.replayed else None),
        ("attempts", chat.attempts),
        ("request id", chat.request_id),
    ]
    return ["sent", *facts(pairs)]


def _warnings(chat: CreatedChat) -> list[str]:
    missing = {"attachments": chat.missing_attachments, "recipients": len(chat.missing_recipients)}
    return [f"warning: the answer does not show {count} of the {what}" for what, count in missing.items() if count]
