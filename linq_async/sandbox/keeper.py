"""Writes each change to a file before it is shown, and reads the file at the start."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs

from . import events as changed
from .clock import SandboxClock
from .files import SandboxAttachment, UploadedFile, stored_url
from .keep_file import PART_BYTES, KeepError, KeepFile, explained, put_file
from .kept import Kept, KeptBehaviour, KeptSettings, Record
from .kept_rows import FileOf, KeptError, check_links, from_json, row_id, to_json
from .limits import StorageFullError
from .state import State

SETTINGS = ("settings", "1")
logger: logging.Logger = logging.getLogger("linq_async.sandbox")


class Keeper:
    """Keeps what a sandbox stores in a file, if there is one: chats, messages, files, contacts and subscriptions."""

    def __init__(self, state: State, clock: SandboxClock, path: Path | None) -> None:
        self._state = state
        self._clock = clock
        self.path: Path | None = path
        self._file: KeepFile | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dirty: set[tuple[str, str]] = set()
        self._scheduled = False
        self._dropped = False
        self._written_files: set[str] = set()
        self._failure: KeepError | None = None

    def start(self) -> None:
        """Open the file, and store what it holds in place of what is stored. Afterwards, keep what changes.

        Raises:
            KeepError: If the file cannot be used.
        """
        if self.path is None:
            return
        file = KeepFile(self.path, self._state.limits)
        try:
            self._load(file)
            file.begin_to_keep()
        except BaseException:
            file.close()
            self._state.close_files()
            raise
        self._file, self._loop = file, asyncio.get_running_loop()
        self._touch([SETTINGS, *(("behaviours", number) for number in self._state.behaviours)])
        self.flush()

    def _load(self, file: KeepFile) -> None:
        self._state.clear()
        self._written_files.clear()
        kept = Kept()
        with ExitStack() as files:

            def file_of(attachment: SandboxAttachment) -> SandboxAttachment:
                content = UploadedFile(attachment.filename, attachment.content_type, self._state.storage)
                files.callback(content.close)
                return self._with_content(attachment, content, file.parts(attachment.id))

            self._read(file, kept, file_of)
            self._state.restore(kept)
            files.pop_all()
        for settings in kept.settings:
            self._clock.advance(settings.advanced - self._clock.advanced)

    def _read(self, file: KeepFile, kept: Kept, file_of: FileOf) -> None:
        try:
            with explained():
                for kind, id_, text in file.rows():
                    self._state.replace_texts((), (text,), things=1)
                    record = from_json(kind, text, file_of)
                    if row_id(record) != id_:
                        raise KeptError("a row has the id of another one")
                    getattr(kept, kind).append(record)
            check_links(kept)
        except KeptError as error:
            raise KeepError(f"it is damaged, or was not written by a sandbox: {error}") from None
        except StorageFullError:
            raise KeepError("it holds more than the limits of the sandbox allow") from None

    def _with_content(
        self, attachment: SandboxAttachment, content: UploadedFile, parts: Iterable[bytes]
    ) -> SandboxAttachment:
        """Read the file of an attachment, and give it the URL that it has in this run."""
        for part in parts:
            content.write(part)
        if content.size != attachment.size:
            raise KeptError("an uploaded file is not whole")
        content.kept = True
        self._written_files.add(attachment.id)
        return attrs.evolve(attachment, url=stored_url(self._state.base_url, attachment), file=content)

    def follow(self, event: changed.Event) -> None:
        """Note what an event changed, and write it soon, at the latest when `flush` is called."""
        match event:
            case changed.ChatCreated() | changed.ContactCardShared():
                self._touch([("chats", str(event.chat_id))])
            case changed.MessageStored() | changed.MessageEdited() | changed.MessageRead() | changed.MessageDeleted():
                self._touch([("messages", str(event.message_id))])
            case changed.ReactionAdded(reaction) | changed.ReactionRemoved(reaction):
                self._touch([("messages", str(reaction.message_id))])
            case changed.ContactCreated(one) | changed.ContactUpdated(one) | changed.ContactDeleted(one):
                self._touch([("contacts", str(one.id))])
            case changed.PhoneNumberUpdated(one):
                self._touch([("phone_numbers", str(one.id))])
            case changed.SubscriptionCreated(one) | changed.SubscriptionUpdated(one) | changed.SubscriptionDeleted(one):
                self._touch([("subscriptions", str(one.id))])
            case changed.DeliveryAttempted(delivery):
                self._touch([("subscriptions", str(delivery.subscription_id))])
            case changed.BehaviourChanged():
                self._touch([("behaviours", event.phone_number)])
            case _:  # not kept
                pass

    def note_advance(self) -> None:
        """Keep that the clock was advanced."""
        self._touch([])

    def drop(self) -> None:
        """Drop everything but what is set for numbers, as the state does."""
        self._dirty.clear()
        self._written_files.clear()
        self._dropped = True
        self._touch([("behaviours", number) for number in self._state.behaviours])

    def _touch(self, keys: Iterable[tuple[str, str]]) -> None:
        if self._file is None or self._loop is None:
            return
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon_threadsafe(self.flush)
        self._dirty.update((*keys, SETTINGS))

    def flush(self) -> None:
        """Write what has changed. If that fails, it is logged, and tried again with the next change."""
        self._scheduled = False
        if self._file is None or not self._dirty:
            return
        try:
            self._write(self._file)
        except (KeepError, StorageFullError, OSError) as error:
            failure = error if isinstance(error, KeepError) else KeepError(f"it cannot be used: {type(error).__name__}")
            if self._failure is None:
                logger.error("what the sandbox stores cannot be kept in its file: %s", failure)
            self._failure = failure
        else:
            self._dirty.clear()
            self._dropped, self._failure = False, None

    def _write(self, file: KeepFile) -> None:
        written: set[str] = set()
        with file.writing() as db:
            if self._dropped:
                db.execute("DELETE FROM records")
                db.execute("DELETE FROM files")
            for kind, id_ in self._dirty:
                record = self._record(kind, id_)
                if record is None:
                    db.execute("DELETE FROM records WHERE kind = ? AND id = ?", (kind, id_))
                    continue
                db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (kind, id_, to_json(record)))
                for one in getattr(record, "attachments", ()):
                    if one.file is not None and one.id not in self._written_files:
                        put_file(db, one.id, _parts(one.file))
                        written.add(one.id)
        self._written_files |= written

    def _record(self, kind: str, id_: str) -> Record | None:
        """Return the record of a row as it is now, or None if it is gone."""
        if kind == "settings":
            return KeptSettings(next_ids=dict(self._state.next_ids), advanced=self._clock.advanced)
        if kind == "behaviours":
            one = self._state.behaviours[id_]
            return KeptBehaviour(phone_number=id_, delivery=one.delivery, service=one.service)
        found: Record | None = getattr(self._state, kind).get(int(id_))
        return found

    def close(self) -> None:
        """Write what is left, and close the file.

        Raises:
            KeepError: If it cannot be written.
        """
        self.flush()
        file, self._file = self._file, None
        failure, self._failure = self._failure, None
        self._dirty.clear()
        if file is not None:
            file.close()
        if failure is not None:
            raise failure


def _parts(file: UploadedFile) -> Iterator[bytes]:
    for offset in range(0, file.size, PART_BYTES):
        yield file.read(offset, PART_BYTES)
