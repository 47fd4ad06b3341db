"""A loaded volume as a mammogram: what its voxels mean, and whose they are.

Full-size images are read a band of rows at a time, so that a window can go on in between.
"""

from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import slicer

from ..mammogram import Mammogram, Source
from ..reading.admission import require_plausible_size, require_usable_range
from ..reading.header import Header
from ..reading.loaded import Facts, LoadedBrightness, facts_of, header_of
from .steps import bands_of, finished
from .volumes import geometry_of, pixels_of, require_usable_volume

DICOM_UIDS = "DICOM.instanceUIDs"  # Slicer's own attribute of volumes from its database

FindFile = Callable[[str], str | None]
# (rows, cols) -> pixels, float32, and valid, bool, to be filled.
NewArrays = Callable[[tuple[int, int]], tuple[np.ndarray, np.ndarray]]


def mammogram_of(volume, find_file: FindFile | None = None) -> Mammogram:
    """The mammogram that a loaded volume holds, on the volume's own grid.

    find_file: SOP instance UID -> path of the DICOM file, by default Slicer's database where
        there is an application. The header says what the pixels mean, which view and whose.
    Raises InputError, in a sentence for the user, for whatever is not one mammogram with a
    known spacing. Changes nothing in the scene.
    """

    def new_arrays(shape):
        return np.empty(shape, np.float32), np.empty(shape, bool)

    return finished(mammogram_in_steps(volume, new_arrays, find_file))


def mammogram_in_steps(
    volume, new_arrays: NewArrays, find_file: FindFile | None = None
) -> Generator[None, None, Mammogram]:
    """`mammogram_of` in short steps; new_arrays: makes the arrays that are to hold it."""
    require_usable_volume(volume)
    name, values = volume.GetName(), pixels_of(volume)
    require_plausible_size(name, values.shape)
    header = header_of_volume(volume, find_file)
    facts = Facts({}, "volume", 1.0, None, None, None) if header is None else facts_of(header)
    yield
    pixels, valid = new_arrays(values.shape)
    if header is None:
        yield from _copy(name, values, pixels)
        padded = False
    else:
        padded = yield from _convert(header, name, values, (pixels, valid))
    return Mammogram(
        pixels=pixels,
        geometry=geometry_of(volume),
        source=Source(name, _path(volume), facts.dicom, facts.spacing_from),
        valid=valid if padded else None,
        magnification=facts.magnification,
        view=facts.view,
        laterality=facts.laterality,
        presentation=facts.presentation,
    )


def header_of_volume(volume, find_file: FindFile | None = None) -> Header | None:
    """The DICOM header of the file that a volume came from; None where there is none.

    Raises InputError when the file is DICOM, but damaged.
    """
    uids = (volume.GetAttribute(DICOM_UIDS) or "").split()
    stored = (find_file or _database_file)(uids[0]) if uids else None
    path = stored or _path(volume)
    return header_of(Path(path)) if path else None


def _copy(name: str, values: np.ndarray, pixels: np.ndarray) -> Generator[None, None, None]:
    seen = _Range()
    for rows in bands_of(values):
        pixels[rows] = values[rows]
        seen.add(values[rows])
        yield
    require_usable_range(name, seen.lowest, seen.highest)


def _convert(
    header: Header, name: str, values: np.ndarray, into: tuple[np.ndarray, np.ndarray]
) -> Generator[None, None, bool]:
    """Fill pixels and, where the answer is True, valid."""
    pixels, valid = into
    brightness, seen = LoadedBrightness(header), _Range()
    for rows in bands_of(values):
        seen.add(values[rows])
        brightness.look(values[rows])
        yield
    require_usable_range(name, seen.lowest, seen.highest)
    for rows in bands_of(values):
        pixels[rows], marked = brightness.convert(values[rows])
        if marked is not None:
            valid[rows] = marked
        yield
    return brightness.has_padding


class _Range:
    """Lowest and highest value so far; NaN once there was one."""

    def __init__(self):
        self.lowest, self.highest = np.inf, -np.inf

    def add(self, values: np.ndarray) -> None:
        self.lowest = np.minimum(self.lowest, values.min())
        self.highest = np.maximum(self.highest, values.max())


def _path(volume) -> str | None:
    storage = volume.GetStorageNode()
    return (storage.GetFileName() if storage is not None else None) or None


def _database_file(uid: str) -> str | None:
    database = getattr(slicer, "dicomDatabase", None)
    return (database.fileForInstance(uid) or None) if database is not None else None
