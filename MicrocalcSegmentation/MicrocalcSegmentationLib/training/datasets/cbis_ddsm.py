"""CBIS-DDSM: digitised film as DICOM, described in CSV files, outlined at cluster level.

Lee et al., Sci Data 2017;4:170177. `calc_case_description_<train|test>_set.csv` names, for
each abnormality, the image and the mask of its region. No single MC is outlined, so the
segmentator, which asks of each pixel whether it is MC, cannot learn from it.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import pydicom

from ...errors import InputError
from .annotated import CLUSTER_LEVEL, AnnotatedImage, Annotation, Dataset, Problem
from .own_spacing import read_with_own_spacing

TABLES = "calc_case_description_*_set.csv"
WHY_NOT_SEGMENTATOR = (
    "CBIS-DDSM outlines regions that hold calcifications, not the calcifications: whether a "
    "single pixel is MC, which the segmentator learns, is not known"
)
_COLUMNS = ("patient_id", "left or right breast", "image view", "image file path")
_MASK_COLUMNS = ("ROI mask file path", "cropped image file path")


@dataclass(frozen=True)
class _Row:
    """image, masks: files as the table names them, in POSIX form.

    number: of the abnormality in its view.
    split: "test" for the official test set; else None, since there is no validation set.
    """

    patient: str
    image: str
    number: str
    masks: tuple[str, ...]
    split: str | None


@dataclass(frozen=True)
class Region:
    """number: of the abnormality. files: its crop and its mask, in any order."""

    number: str
    files: tuple[Path, ...]


def recognise(root: Path) -> bool:
    """Whether a folder is laid out like CBIS-DDSM."""
    return any(root.rglob(TABLES))


def read_dataset(root: Path, spacing_mm: tuple[float, float] | None) -> Dataset:
    """Every image of the calcification tables. Raises InputError when there is no table."""
    tables = sorted(root.rglob(TABLES))
    if not tables:
        raise InputError(f"{root}: holds no {TABLES}; put CBIS-DDSM's tables beside its images")
    rows, problems = [], []
    for table in tables:
        found, wrong = _read_table(table)
        rows += found
        problems += wrong
    by_image: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        by_image[row.image].append(row)
    images = []
    for image, own in sorted(by_image.items()):
        name = PurePosixPath(image).parts[0]
        path = _full_image(root, image)
        if path is None:
            what = "the image that the table names is not there"
            problems.append(Problem(name, image, what, "download it, or exclude the image"))
            continue
        regions = tuple(Region(row.number, _dicom_below(root, row.masks)) for row in own)
        images.append(
            AnnotatedImage(
                name=name,
                patient=own[0].patient,
                source="CBIS-DDSM",
                files=(path, *dict.fromkeys(file for one in regions for file in one.files)),
                load=partial(load, name, path, regions, spacing_mm),
                kind="film",
                level=CLUSTER_LEVEL,
                split=own[0].split,
                positive=True,
            )
        )
    return Dataset(root, "cbis-ddsm", tuple(images), tuple(problems), spacing_mm)


def load(name: str, path: Path, regions: tuple[Region, ...], spacing_mm) -> Annotation:
    """Read an image and the union of its regions.

    A region without a mask among its files is a problem.
    Raises InputError when the image or a mask is unreadable.
    """
    mammogram = read_with_own_spacing(path, spacing_mm)
    mask = np.zeros(mammogram.pixels.shape, bool)
    problems = []
    for region in regions:
        masks = [(file, values) for file in region.files if _is_mask(values := _pixels(file))]
        if not masks:
            what = f"the mask of abnormality {region.number} is not there"
            problems.append(Problem(name, name, what, "download it, or exclude the image"))
        for file, values in masks:
            if values.shape == mask.shape:
                mask |= values != 0
            else:
                problems.append(_size_problem(name, file, values.shape, mask.shape))
    return Annotation(mammogram, mask, np.zeros(mask.shape, bool), tuple(problems))


def _is_mask(values: np.ndarray) -> bool:
    """By its two values: some versions of the data set swap the names of crop and mask."""
    # Most crops show it in a few pixels, long before all are sorted.
    if len(np.unique(values[::7, ::7])) > 2:
        return False
    return bool(((values == values.min()) | (values == values.max())).all())


def _size_problem(name: str, file: Path, size: tuple[int, ...], own: tuple[int, int]) -> Problem:
    return Problem(
        name,
        f"{file.parent.name}/{file.name}",
        f"the mask has {size[0]} x {size[1]} pixels, its image {own[0]} x {own[1]}",
        "exclude the image",
    )


def _read_table(path: Path) -> tuple[list[_Row], list[Problem]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        what = "cannot be read as a table in UTF-8"
        return [], [Problem(path.stem, path.name, what, "download the table again")]
    missing = [name for name in _COLUMNS if rows and name not in rows[0]]
    if missing or not rows:
        what = f"no column {missing[0]!r}" if missing else "an empty table"
        return [], [Problem(path.stem, path.name, what, "download the table again")]
    split = "test" if "_test_" in path.name else None
    found, problems = [], []
    for number, row in enumerate(rows, 1):
        # Rows that are cut short hold None.
        said = {column: (value or "").strip() for column, value in row.items() if column}
        said["image file path"] = _posix(said["image file path"])
        lacking = [column for column in _COLUMNS if not said[column]]
        if lacking:
            what = f"row {number} has no {lacking[0]!r}"
            problems.append(Problem(path.stem, path.name, what, "download the table again"))
            continue
        found.append(
            _Row(
                # The DICOM header's PatientID names the view as well; the table's is the woman's.
                patient=said["patient_id"],
                image=said["image file path"],
                number=said.get("abnormality id") or str(number),
                masks=tuple(_posix(said.get(column, "")) for column in _MASK_COLUMNS),
                split=split,
            )
        )
    return found, problems


def _posix(named: str) -> str:
    """A path of the table relative to the data set, also where Windows wrote it."""
    return "/".join(PurePosixPath(named.replace("\\", "/").strip("/")).parts)


def _full_image(root: Path, named: str) -> Path | None:
    """The file that the table names, or, in TCIA's newer folders, the one of its image."""
    found = _dicom_below(root, (named,))
    return max(found, key=lambda path: path.stat().st_size) if found else None


def _dicom_below(root: Path, named: tuple[str, ...]) -> tuple[Path, ...]:
    """Files that the table names, where they are; else all in the folder of the same name."""
    found = []
    for text in dict.fromkeys(named):
        relative = PurePosixPath(text)
        if not relative.parts or ".." in relative.parts:
            continue
        places = [root / relative, root / "CBIS-DDSM" / relative]
        exact = [path for path in places if path.is_file()]
        tops = [path.parents[len(relative.parts) - 2] for path in places if len(relative.parts) > 1]
        below = [file for top in tops for file in sorted(top.rglob("*.dcm"))]
        found += exact[:1] or [file for file in below if not file.name.startswith(".")]
    return tuple(dict.fromkeys(found))


def _pixels(path: Path) -> np.ndarray:
    try:
        return pydicom.dcmread(path).pixel_array
    except Exception as error:  # pydicom raises whatever a damaged element makes it raise
        raise InputError(f"{path.name}: cannot be read as a mask; download it again") from error
