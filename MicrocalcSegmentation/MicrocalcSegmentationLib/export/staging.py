"""Writing a set of files so that either all of them appear, or none."""

import errno
import shutil
import uuid
from collections.abc import Callable, Mapping
from itertools import takewhile
from pathlib import Path

from ..errors import InputError

Write = Callable[[Path], None]


def write_all(folder: Path, writers: Mapping[str, Write]) -> dict[str, Path]:
    """Call every writer, then put all their files into `folder` at once.

    writers: file name -> what writes it to the path that it is given.
    Returns file name -> path. Makes the folder, and its parents, when they are missing;
    leaves other files in it alone. When anything fails, files of an earlier run are as
    they were, and no new file or folder is left.
    Raises InputError where the folder cannot be written, and whatever a writer raises.
    """
    folder = Path(folder)
    made: list[Path] = []
    staging = None
    try:
        made = _make_missing(folder)
        staging = folder / f".writing-{uuid.uuid4().hex}"
        staging.mkdir()
        for name, write in writers.items():
            write(staging / name)
        _move_in(staging, folder, list(writers))
    except OSError as error:
        _clear(staging, made)
        raise InputError(f"{folder}: cannot write the results; {_advice(error)}") from error
    except BaseException:  # also a cancelled or interrupted run leaves nothing behind
        _clear(staging, made)
        raise
    shutil.rmtree(staging, ignore_errors=True)
    return {name: folder / name for name in writers}


def _make_missing(folder: Path) -> list[Path]:
    """Make the folder; return the ones that were made, innermost first."""
    missing = list(takewhile(lambda path: not path.exists(), (folder, *folder.parents)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        _remove_empty(missing)
        raise
    return missing


def _move_in(staging: Path, folder: Path, names: list[str]) -> None:
    """Replace the files, or restore the earlier ones when one cannot be replaced.

    That happens on Windows when a table is open in a spreadsheet.
    """
    earlier = staging / "earlier"
    earlier.mkdir()
    try:
        for name in names:
            target = folder / name
            if target.is_dir():
                raise IsADirectoryError(errno.EISDIR, "is a folder", str(target))
            if target.exists():
                target.replace(earlier / name)
            (staging / name).replace(target)
    except BaseException:
        for name in names:
            if (earlier / name).exists():
                (earlier / name).replace(folder / name)
            elif not (staging / name).exists():
                (folder / name).unlink(missing_ok=True)
        raise


def _clear(staging: Path | None, made: list[Path]) -> None:
    if staging is not None:
        shutil.rmtree(staging, ignore_errors=True)
    _remove_empty(made)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:  # not made after all, or somebody else writes there too
            return


def _advice(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: free some space, or choose a folder on another disk"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            "not allowed to write there: choose another output folder, "
            "or close programs that have these files open"
        )
    if error.errno in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
        return "a file and a folder of that name collide: choose another output folder"
    return f"{error.strerror or error}: choose another output folder"
