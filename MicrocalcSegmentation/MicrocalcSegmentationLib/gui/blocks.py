"""One mammogram's arrays in memory that two processes share: nothing is copied or sent.

On Windows a named mapping, on Linux a file in /dev/shm, which is memory, elsewhere (and where
/dev/shm is too small) a mapped temporary file. Python's own `SharedMemory` starts a further
process that removes blocks while others still use them, so it is not used.
"""

import contextlib
import mmap
import os
import shutil
import tempfile
import uuid
from pathlib import Path

import numpy as np

from ..errors import InputError

_PREFIX = "microcalc"
_MEMORY_FOLDER = Path("/dev/shm")
_SPARE = 1 << 26  # left free in a folder that is memory
# Largest type first, so that every array begins where its type may.
FIELDS = {
    "pixels": np.float32,
    "probability": np.float32,
    "deviation": np.float32,
    "drawn": np.bool_,
    "valid": np.bool_,
    "breast": np.bool_,
    "candidates": np.bool_,
}
BYTES_PER_PIXEL = sum(np.dtype(kind).itemsize for kind in FIELDS.values())


class Block:
    """The arrays of `FIELDS`, each (rows, cols), in shared memory.

    place: what another process attaches by. The arrays stay readable after `close`.
    """

    def __init__(self, shape: tuple[int, int], place: str | None = None):
        """Make a block, or attach to the one at `place`. Raises InputError without memory."""
        self.shape = tuple(int(side) for side in shape)
        size = self.shape[0] * self.shape[1] * BYTES_PER_PIXEL
        self._owned = place is None
        try:
            self.place = place or _new_place(size)
            mapped = _mapped(self.place, size, self._owned)
        except OSError as error:
            raise InputError(
                f"no memory for an image of {shape[0]} x {shape[1]} pixels "
                f"({size / 1e6:.0f} MB are needed: {error}); close other programs"
            ) from error
        self._arrays = {}
        at = 0
        for name, kind in FIELDS.items():
            count = self.shape[0] * self.shape[1]
            self._arrays[name] = np.frombuffer(mapped, kind, count, at).reshape(self.shape)
            at += count * np.dtype(kind).itemsize

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def close(self) -> None:
        """Take the name away: the memory goes when the last array of it does."""
        if self._owned and os.name != "nt":
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.place)

    def __del__(self):
        if hasattr(self, "place"):
            self.close()


def _new_place(size: int) -> str:
    name = f"{_PREFIX}-{os.getpid()}-{uuid.uuid4().hex}"
    if os.name == "nt":
        return name
    folder = Path(tempfile.gettempdir())
    if _MEMORY_FOLDER.is_dir():
        _remove_abandoned(_MEMORY_FOLDER)
        # Past its limit, writing there would end the process rather than raise.
        if shutil.disk_usage(_MEMORY_FOLDER).free > size + _SPARE:
            folder = _MEMORY_FOLDER
    return str(folder / name)


def _mapped(place: str, size: int, new: bool) -> mmap.mmap:
    if os.name == "nt":
        return mmap.mmap(-1, size, tagname=place)
    descriptor = os.open(place, os.O_RDWR | (os.O_CREAT | os.O_EXCL if new else 0), 0o600)
    try:
        if new:
            os.ftruncate(descriptor, size)
        return mmap.mmap(descriptor, size)
    finally:
        os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    """Blocks of processes that were killed before they could remove them."""
    for path in folder.glob(f"{_PREFIX}-*-*"):
        pid = path.name.split("-")[1]
        if pid.isdigit() and not _is_alive(int(pid)):
            with contextlib.suppress(OSError):
                path.unlink()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
