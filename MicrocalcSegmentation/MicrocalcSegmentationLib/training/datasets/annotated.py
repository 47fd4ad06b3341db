"""What every importer gives: images with patient, kind and annotation, and what is wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...mammogram import Mammogram

MC_LEVEL, CLUSTER_LEVEL = "mc", "cluster"
UNSTATED = "unstated"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Problem:
    """Something wrong with a data set.

    image: the name by which the image is excluded; file: where to look. harmless: to be told,
    and no reason to refuse the image.
    """

    image: str
    file: str
    what: str
    remedy: str
    harmless: bool = False

    def __str__(self) -> str:
        return f"{self.file}: {self.what}; {self.remedy}"

    @classmethod
    def of_error(cls, image: str, error: InputError) -> "Problem":
        """From a sentence of the form "file: what is wrong; what to do"."""
        file, _, rest = str(error).partition(": ")
        what, _, remedy = rest.rpartition("; ")
        return cls(image, file, what or rest, remedy or "see the README's section on own data")


@dataclass(frozen=True)
class Annotation:
    """An image with its truth, all on the image's own grid.

    mask: (rows, cols) bool, pixels of MCs; for an image of cluster level, of the regions
    that hold them. uncertain: bool, pixels that count neither as MC nor as tissue: they may
    be either, or are calcified and no MC that a reader would mark. Never sampled, and marks
    on them are neither true nor false.
    problems: what was found while reading; the image is not to be used when there are any.
    """

    mammogram: Mammogram
    mask: np.ndarray
    uncertain: np.ndarray
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class AnnotatedImage:
    """An image of a data set, before its pixels are read.

    name: unique within its data set. patient: images of one patient share it, also across
    views. patient_stated: False where the data set does not say whose the image is, and it
    counts as a patient's only one. kind: "digital", "film" or "unstated". source: the data
    set, in words.
    level: "mc" when each MC is outlined, "cluster" when only regions are.
    files: the image's own first, then those of its annotation.
    split: as the data set states it, or None. positive: whether the data set says that
    there are MCs, or None.
    load: reads it; can be pickled. May raise InputError.
    """

    name: str
    patient: str
    source: str
    files: tuple[Path, ...]
    load: Callable[[], Annotation]
    kind: str = UNSTATED
    level: str = MC_LEVEL
    split: str | None = None
    positive: bool | None = None
    patient_stated: bool = True


@dataclass(frozen=True)
class Dataset:
    """A folder of annotated images.

    problems: what its files' names and tables show. spacing_mm: (row, col) as the user gave
    it, for images that do not state theirs, or None.
    """

    root: Path
    layout: str
    images: tuple[AnnotatedImage, ...]
    problems: tuple[Problem, ...] = ()
    spacing_mm: tuple[float, float] | None = None
