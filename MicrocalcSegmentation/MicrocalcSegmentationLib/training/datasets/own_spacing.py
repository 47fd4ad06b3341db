"""An image of a data set, with its own spacing or the one that was given for those without."""

from pathlib import Path

from ...errors import InputError
from ...mammogram import Mammogram
from ...reading import read_mammogram
from ...reading.spacing import NoUsableSpacing, agree


def read_with_own_spacing(path: Path, spacing_mm: tuple[float, float] | None) -> Mammogram:
    """Read a mammogram; a spacing that its file states is kept.

    spacing_mm: (row, col) in the breast, where the file states none. One is given for whole
    data sets, and must not change the images that it was not meant for.
    Raises InputError when the image is unreadable, or states another spacing.
    """
    try:
        mammogram = read_mammogram(path)
    except NoUsableSpacing:
        if spacing_mm is None:
            raise
        return read_mammogram(path, spacing_mm)
    stated = mammogram.geometry.spacing_mm
    if spacing_mm is None or agree(stated, spacing_mm) or agree(mammogram.spacing_mm, spacing_mm):
        return mammogram
    own, given = (" x ".join(f"{mm:g}" for mm in pair) for pair in (stated, spacing_mm))
    raise InputError(
        f"{path.name}: states a spacing of {own} mm, though --spacing-mm gives {given} mm; give "
        "that only to images that state none, or correct the header"
    )
