"""Real mammograms in folders: to measure, to insert into, and to look at.

Film tiles: a folder of CBIS-DDSM tiles with index.csv, seen.csv and tiles/, 8-bit, taken as
0.05 mm. Digital backgrounds: JPEG or PNG, colour or grey, taken as 0.07 mm. Films and crops:
DICOM; where spacing is not stated, 0.05 mm is taken.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ...breast import breast_region
from ...errors import InputError
from ...geometry import Geometry
from ...mammogram import Mammogram, Source
from ...reading import read_mammogram
from .samples import CROP_SIDE, Crop, crop_at
from .spectrum import Spectrum, measure_spectrum

FILM_MM, DIGITAL_MM = 0.05, 0.07
_PICTURES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Background:
    """A real image that calcifications may be inserted into. inside: bool, its breast."""

    pixels: np.ndarray
    inside: np.ndarray
    spacing_mm: float
    text: str

    def spectrum(self) -> Spectrum | None:
        """None where no window fits into the breast."""
        try:
            return measure_spectrum(self.pixels, self.inside, self.spacing_mm)
        except InputError:
            return None


def film_tiles(folder: Path) -> Iterator[Background]:
    """Tiles in which no calcification was seen, in the index's order, one of each patient."""
    seen = {row["tile"] for row in _rows(folder / "seen.csv")}
    done = set()
    for row in _rows(folder / "index.csv"):
        if row["tile"] in seen or row["patient"] in done or row["also_in_calcification_set"] == "1":
            continue
        done.add(row["patient"])
        yield _background(_grey(folder / "tiles" / row["tile"]), FILM_MM, row["patient"])


def digital_backgrounds(folder: Path) -> Iterator[Background]:
    """Every picture of the folder, by name. Raises InputError when there is none."""
    paths = sorted(path for path in _listed(folder) if path.suffix.lower() in _PICTURES)
    if not paths:
        raise InputError(f"{folder}: holds no {', '.join(_PICTURES)}; give digital mammograms")
    for path in paths:
        yield _background(_grey(path), DIGITAL_MM, path.stem)


def films(folder: Path) -> Iterator[Background]:
    """Every DICOM file below the folder. Raises InputError when there is none."""
    for path, mammogram in _dicoms(folder):
        yield Background(
            mammogram.pixels, breast_region(mammogram), mammogram.spacing_mm[0], path.stem
        )


def seen_crops(folder: Path) -> Iterator[Crop]:
    """The places of seen.csv: real calcifications, and what looks like them."""
    for row in _rows(folder / "seen.csv"):
        pixels = _grey(folder / "tiles" / row["tile"])
        patient = row["tile"].split("P_")[1].split("_")[0]
        yield Crop(
            crop_at(pixels, float(row["row"]), float(row["col"])), f"{row['kind']}, P_{patient}"
        )


def whole_crops(folder: Path) -> Iterator[Crop]:
    """The middle of every DICOM file below the folder."""
    for path, mammogram in _dicoms(folder):
        rows, cols = mammogram.pixels.shape
        yield Crop(crop_at(mammogram.pixels, rows / 2, cols / 2), path.stem[-22:])


def room_for_crop(background: Background, rng) -> tuple[int, int] | None:
    """A place with breast on all of the crop around it; None when none is found."""
    half = CROP_SIDE // 2
    rows, cols = background.inside.shape
    if rows <= CROP_SIDE or cols <= CROP_SIDE:
        return None
    for _ in range(200):
        row, col = (int(rng.integers(half, size - half)) for size in (rows, cols))
        if background.inside[row - half : row + half, col - half : col + half].all():
            return row, col
    return None


def _background(pixels: np.ndarray, spacing_mm: float, text: str) -> Background:
    mammogram = Mammogram(pixels, Geometry((spacing_mm, spacing_mm)), Source(text))
    return Background(pixels, breast_region(mammogram), spacing_mm, text)


def _grey(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L"), np.float32)
    except OSError as error:
        raise InputError(f"{path}: cannot be read as a picture; copy it again") from error


def _dicoms(folder: Path) -> Iterator[tuple[Path, Mammogram]]:
    paths = sorted(path for path in folder.rglob("*.dcm") if path.is_file())
    if not paths:
        raise InputError(f"{folder}: holds no .dcm file; give a folder of mammograms")
    for path in paths:
        try:
            yield path, read_mammogram(path)
        except InputError:  # films that state no spacing; others say again what is wrong
            yield path, read_mammogram(path, (FILM_MM, FILM_MM))


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed ({error.strerror}); give a folder") from error


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); pass the folder of CBIS-DDSM film tiles"
        ) from error
