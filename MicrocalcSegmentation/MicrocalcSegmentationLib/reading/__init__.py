"""Reading any mammogram into one `Mammogram`."""

import os
from pathlib import Path

from ..errors import InputError
from ..mammogram import Mammogram

__all__ = ["first_bytes", "read_mammogram"]


def read_mammogram(
    path: str | os.PathLike, spacing_mm: tuple[float, float] | None = None
) -> Mammogram:
    """Read a mammogram from DICOM (known by content), NRRD, MHA, NIfTI, TIFF, PNG or JPEG.

    spacing_mm: (row, col) spacing in the breast, if the file does not state it; wins over what
        it states.
    Raises InputError, and nothing else, for whatever is not a readable single-frame grey
    mammogram with a known spacing.
    """
    from .dicom import is_dicom, read_dicom
    from .spacing import users_spacing

    path = Path(path)
    start = first_bytes(path)
    if spacing_mm is not None:
        users_spacing(spacing_mm)
    try:
        if is_dicom(start):
            return read_dicom(path, spacing_mm)
        from .images import read_image  # with SimpleITK, which takes longer than to read a DICOM

        return read_image(path, spacing_mm)
    except OSError as error:
        raise _unreadable(path, error) from error


def first_bytes(path: Path) -> bytes:
    """The first 132 bytes of a file. Raises InputError with the reason it cannot be read."""
    try:
        if path.is_dir():
            raise InputError(f"{path.name}: a folder; give the image file in it")
        if path.exists() and not path.is_file():
            raise InputError(f"{path.name}: not an ordinary file; give an image file")
        with path.open("rb") as file:
            start = file.read(132)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check the name") from error
    except (OSError, ValueError) as error:  # ValueError: a name that no system takes
        raise _unreadable(path, error) from error
    if not start:
        raise InputError(f"{path.name}: an empty file; copy or export it again")
    return start


def _unreadable(path: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or error
    return InputError(f"{path.name}: cannot be read ({reason}); check the file and its permissions")
