"""Files that are complete or not there. In: paths and bytes. Out: files, put in place in one step each.

A file is written under another name beside its place first. Devices and pipes are written to directly.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from cachelens.errors import UsageError

#: Names tried for a file that is being written; others may be left from runs that were killed.
_NAMES = 1000


class Batch:
    """Several files: none appears before all of them are written, and none when one cannot be.

    For `with`: leaving it by an exception removes all that was not put in place. `add` every file, then `commit`.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Path, Path, Path]] = []
        self._direct: list[tuple[Path, Iterable[bytes]]] = []
        self._folders: list[Path] = []

    def __enter__(self) -> Batch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, temporary, _ in self._waiting:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
        if error is not None:
            for folder in reversed(self._folders):
                with contextlib.suppress(OSError):  # something else was put into it
                    folder.rmdir()

    def add(self, path: Path, data: bytes | Iterable[bytes]) -> None:
        """Write `data`, whole or piece by piece, beside `path`; a folder that is missing is made.

        Raises UsageError when it cannot.
        """
        pieces = (data,) if isinstance(data, bytes) else data
        try:
            if is_special(path):
                self._direct.append((path, pieces))
                return
            target = Path(os.path.realpath(path))
            if not target.parent.exists():
                target.parent.mkdir()
                self._folders.append(target.parent)
            for number in range(_NAMES):
                temporary = target.with_name(f".{target.name[:40]}.{os.getpid()}.{number}.part")
                try:
                    stream = open(temporary, "xb")
                except FileExistsError:
                    continue
                self._waiting.append((path, temporary, target))
                with stream:
                    stream.writelines(pieces)
                return
            raise UsageError(f"{path}: the folder is full of files that were left half-written")
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _refusal(path, error) from error

    def commit(self) -> None:
        """Write to devices and pipes, then put every file in place, in the order added.

        Raises UsageError when one of these steps fails, which are renamings: files before it stay, complete.
        """
        for path, pieces in self._direct:
            try:
                with open(path, "wb") as stream:
                    stream.writelines(pieces)
            except BrokenPipeError:
                raise
            except OSError as error:
                raise _refusal(path, error) from error
        for path, temporary, target in self._waiting:
            try:
                os.replace(temporary, target)
            except OSError as error:
                raise _refusal(path, error) from error


def write_file(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Replace `path` by `data`, whole or piece by piece, in one step.

    Raises UsageError, and leaves nothing half-written, when it cannot.
    """
    with Batch() as batch:
        batch.add(path, data)
        batch.commit()


def check_folder(path: Path) -> None:
    """Raise UsageError unless the nearest existing folder at or above `path` can be written to."""
    folder = path
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise UsageError(f"{path}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{path}: folder {folder} cannot be written to")


def is_special(path: Path) -> bool:
    """Whether `path` is a device, pipe or open stream: written to directly, never replaced."""
    if str(path).startswith(("/dev/std", "/dev/fd/")):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _refusal(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path}: {error.strerror or 'cannot be written'}")
