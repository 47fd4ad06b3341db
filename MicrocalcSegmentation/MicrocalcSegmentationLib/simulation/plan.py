"""What a whole data set is to hold: patients, their images, and each image's seed and options."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from .cases import DENSITY_SHARES, KINDS, CaseOptions
from .dicom_mg import SYNTHETIC
from .outline import VIEWS
from .parenchyma import DENSITIES

SPLITS = ("train", "validation", "test")
# Training draws its seeds below this, so that no test image was ever trained on.
TEST_SEED_START = 900_000_000
NORMAL_SHARE = 0.3  # of the images: no cluster
CLUSTERS, CLUSTERS_SHARES = (1, 2, 3), (0.5, 0.3, 0.2)  # of the others
VIEWS_SHARES = (
    0.1,
    0.4,
    0.1,
    0.4,
)  # patients of 1 to 4 images: one or both breasts, one or two views

_SEEDS_EACH = 10_000  # each data set's own, for training and validation; half as many for test
# `microcalc evaluate --seed S` takes the first test seeds of the same S.
_TEST_OFFSET = 5_000
_SEED_LIMIT = TEST_SEED_START // _SEEDS_EACH


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a data set holds.

    counts: images for training, validation and test. seed: from 0, below 90,000.
    spacing_mm, shape: of all images; None draws a common system's for each.
    """

    counts: tuple[int, int, int]
    seed: int = 0
    spacing_mm: float | None = None
    shape: tuple[int, int] | None = None


@dataclass(frozen=True)
class Member:
    """One image of a data set. name: of its files, as `simulate_case` gives it."""

    split: str
    patient: str
    seed: int
    options: CaseOptions

    @property
    def name(self) -> str:
        return f"simulated-{self.options.kind}-{self.seed:06d}"


def parse_split(text: str) -> tuple[int, int, int]:
    """ "231/25/27" as numbers. Raises InputError for anything but three counts, not all 0."""
    if not re.fullmatch(r"\d{1,6}/\d{1,6}/\d{1,6}", text, re.ASCII):
        raise InputError(
            f"split {text!r}: give the images for training, validation and test as 231/25/27"
        )
    train, validation, test = (int(part) for part in text.split("/"))
    if not train + validation + test:
        raise InputError(f"split {text!r} is empty; give at least one image")
    return train, validation, test


def plan(recipe: Recipe) -> list[Member]:
    """Every image of the data set, in order; the same recipe gives the same plan.

    In each part half the images are digital and half film, give or take the images of one
    patient, and three in ten of each kind hold no cluster. A patient belongs to one part and
    one kind. Test seeds lie above `TEST_SEED_START`, all others below.
    Raises InputError for a seed or count that the ranges of seeds cannot hold.
    """
    train, validation, test = recipe.counts
    if not 0 <= recipe.seed < _SEED_LIMIT:
        raise InputError(f"seed {recipe.seed}: give a number from 0 to {_SEED_LIMIT - 1}")
    if train + validation > _SEEDS_EACH or test > _SEEDS_EACH - _TEST_OFFSET:
        raise InputError(
            f"split {train}/{validation}/{test}: at most {_SEEDS_EACH} images for training and "
            f"validation together and {_SEEDS_EACH - _TEST_OFFSET} for test fit one data set; "
            "make several with different seeds"
        )
    first = recipe.seed * _SEEDS_EACH
    firsts = (first, first + train, TEST_SEED_START + first + _TEST_OFFSET)
    patients = _names(recipe.seed)
    return [
        member
        for number, split in enumerate(SPLITS)
        for member in _part(split, firsts[number], recipe, patients)
    ]


def _names(seed: int) -> Callable[[], str]:
    """A function that gives another patient's name at every call."""
    numbers = iter(range(1, 10**6))
    return lambda: f"{SYNTHETIC}{seed}-P{next(numbers):05d}"


def _part(split: str, first: int, recipe: Recipe, new_patient: Callable[[], str]):
    """The images of one part, numbered from the seed `first`."""
    number = SPLITS.index(split)
    rng = np.random.default_rng([recipe.seed, number])
    owners = list(_owners(recipe, number, rng, new_patient))
    clusters = {kind: _cluster_counts(_count(owners, kind), rng) for kind in KINDS}
    for seed, (patient, image) in enumerate(owners, first):
        count = int(clusters[image.kind].pop())
        yield Member(split, patient, seed, replace(image, clusters=count))


def _owners(
    recipe: Recipe, part: int, rng, new_patient: Callable[[], str]
) -> Iterator[tuple[str, CaseOptions]]:
    """Patient and options of each image; the kind that is behind takes the next patient.

    A patient's images differ in view or side, and share kind and density.
    """
    done = dict.fromkeys(KINDS, 0)
    while (left := recipe.counts[part] - sum(done.values())) > 0:
        kind = min(rng.permutation(KINDS).tolist(), key=done.__getitem__)
        density = str(rng.choice(DENSITIES, p=DENSITY_SHARES))
        patient = new_patient()
        for view, side in _views(rng)[:left]:
            done[kind] += 1
            yield (
                patient,
                CaseOptions(
                    kind,
                    recipe.spacing_mm,
                    recipe.shape,
                    view=view,
                    density=density,
                    laterality=side,
                ),
            )


def _views(rng) -> list[tuple[str, str]]:
    """View and side of one to four images: a second view of the same breast comes first."""
    count = int(rng.choice(4, p=VIEWS_SHARES)) + 1
    sides, views = rng.permutation(["L", "R"]).tolist(), rng.permutation(VIEWS).tolist()
    return [(view, side) for side in sides for view in views][:count]


def _count(owners: list[tuple[str, CaseOptions]], kind: str) -> int:
    return sum(image.kind == kind for _, image in owners)


def _cluster_counts(images: int, rng) -> list[int]:
    normal = round(NORMAL_SHARE * images)
    some = rng.choice(CLUSTERS, images - normal, p=CLUSTERS_SHARES)
    return rng.permutation(np.concatenate([np.zeros(normal, int), some])).tolist()
