"""What one request's body was read into."""

import attrs

from linq_async.sandbox.files import UploadedFile
from linq_async.sandbox.limits import Limits, Storage
from linq_async.sandbox.observers import RecordedBody

from .params import Params


@attrs.define
class Form:
    """The parameters of one body, its files, and how many bytes it had."""

    limits: Limits
    storage: Storage
    params: Params = attrs.Factory(Params)
    files: list[UploadedFile] = attrs.Factory(list[UploadedFile])
    size: int = 0
    recorded: RecordedBody | None = None

    def drop_files(self) -> None:
        """Close the files that no message kept."""
        for file in self.files:
            if not file.kept:
                file.close()
