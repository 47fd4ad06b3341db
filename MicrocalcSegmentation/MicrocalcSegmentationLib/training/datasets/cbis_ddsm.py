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
from ...reading import read_mammogram
from .annotated import CLUSTER_LEVEL, AnnotatedImage, Annotation, Dataset, Problem

TABLES = "calc_case_description_*_set.csv"
WHY_NOT_SEGMENTATOR = (
    "CBIS-DDSM outlines regions that hold calcifications, not the calcifications: whether a "
    "single pixel is MC, which the segmentator learns, is not known"
)
_COLUMNS = ("patient_id", "left or right breast", "image view", "image file path")
_MASK_COLUMNS = ("ROI mask file path", "cropped image file path")


@dataclass(frozen=True)
class _Row:
    """image, masks: files as the table names them.

    split: "test" for the official test set; else None, since there is no validation set.
    """

    patient: str
    image: str
    masks: tuple[str, ...]
    split: str | None


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
        folders = tuple(mask for row in own for mask in row.masks)
        images.append(
            AnnotatedImage(
                name=name,
                patient=own[0].patient,
                source="CBIS-DDSM",
                files=(path, *_dicom_below(root, folders)),
                load=partial(load, name, path, _dicom_below(root, folders), spacing_mm),
                kind="film",
                level=CLUSTER_LEVEL,
                split=own[0].split,
                positive=True,
            )
        )
    return Dataset(root, "cbis-ddsm", tuple(images), tuple(problems), spacing_mm)


def load(name: str, path: Path, beside: tuple[Path, ...], spacing_mm) -> Annotation:
    """Read an image and the union of its regions.

    beside: crops and masks, in any order: some versions of the data set swap their names.
    A mask is known by its size, which is the image's, and its two values.
    Raises InputError when the image or a mask is unreadable.
    """
    mammogram = read_mammogram(path, spacing_mm)
    shape = mammogram.pixels.shape
    mask, sizes = np.zeros(shape, bool), []
    for file in beside:
        values = _pixels(file)
        if values.shape == shape and len(np.unique(values[::7, ::7])) <= 2:
            mask |= values != 0
        elif len(np.unique(values)) <= 2:
            sizes.append((file, values.shape))
    problems = [
        Problem(
            name,
            f"{file.parent.name}/{file.name}",
            f"the mask has {size[0]} x {size[1]} pixels, its image {shape[0]} x {shape[1]}",
            "exclude the image",
        )
        for file, size in sizes
    ]
    return Annotation(mammogram, mask, np.zeros(shape, bool), tuple(problems))


def _read_table(path: Path) -> tuple[list[_Row], list[Problem]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    missing = [name for name in _COLUMNS if rows and name not in rows[0]]
    if missing or not rows:
        what = f"no column {missing[0]!r}" if missing else "an empty table"
        return [], [Problem(path.stem, path.name, what, "download the table again")]
    split = "test" if "_test_" in path.name else None
    return [
        _Row(
            # The DICOM header's PatientID names the view as well; the table's is the woman's.
            patient=row["patient_id"].strip(),
            image=row["image file path"].strip(),
            masks=tuple((row.get(column) or "").strip() for column in _MASK_COLUMNS),
            split=split,
        )
        for row in rows
    ], []


def _full_image(root: Path, named: str) -> Path | None:
    """The file that the table names, or, in TCIA's newer folders, the one of its image."""
    found = _dicom_below(root, (named,))
    return max(found, key=lambda path: path.stat().st_size) if found else None


def _dicom_below(root: Path, named: tuple[str, ...]) -> tuple[Path, ...]:
    """Files that the table names, where they are; else all in the folder of the same name."""
    found = []
    for text in dict.fromkeys(named):
        if not text:
            continue
        relative = PurePosixPath(text)
        places = [root / relative, root / "CBIS-DDSM" / relative]
        exact = [path for path in places if path.is_file()]
        folders = [path.parents[len(relative.parts) - 2] for path in places]
        found += exact[:1] or [f for folder in folders for f in sorted(folder.rglob("*.dcm"))]
    return tuple(dict.fromkeys(found))


def _pixels(path: Path) -> np.ndarray:
    try:
        return pydicom.dcmread(path).pixel_array
    except Exception as error:  # pydicom raises whatever a damaged element makes it raise
        raise InputError(f"{path.name}: cannot be read as a mask; download it again") from error
