"""Real images without annotated MCs: how often clusters are marked, and at which known places."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..findings import VASCULAR, Cluster, Findings
from .intervals import interval, resampling_weights
from .patients import patient_of

NEAR_MM = 2.0  # a place lies at a cluster when it is no farther from its bounding box


@dataclass(frozen=True)
class Place:
    """Where something is seen. row, col: pixels. kind: the reader's word for it."""

    image: str
    row: float
    col: float
    kind: str


class AtPlace(NamedTuple):
    """Whether a marked cluster, and whether a vascular group, is at a place of this kind."""

    kind: str
    cluster: bool
    vascular: bool


@dataclass(frozen=True)
class Surveyed:
    """What was marked on one image.

    patient: images of one patient share it. at_places: of each of the image's places.
    elsewhere: clusters at no place. vascular: groups along vessels.
    """

    image: str
    patient: str
    breast_cm2: float
    calcifications: int
    clusters: int
    at_places: tuple[AtPlace, ...]
    elsewhere: int
    vascular: int = 0


@dataclass(frozen=True)
class Rate:
    """A figure with its 95 % interval over patients, which is None for one patient."""

    value: float
    low: float | None
    high: float | None


def read_places(path: Path) -> list[Place]:
    """A CSV with the columns tile (or image), row, col and kind.

    Raises InputError when it cannot be read or a line lacks one of them.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [
            Place(
                row.get("image") or row["tile"], float(row["row"]), float(row["col"]), row["kind"]
            )
            for row in rows
        ]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: every line needs tile (or image), row, col and kind ({error})"
        ) from error


def survey(findings: Findings, places: list[Place]) -> Surveyed:
    """Compare what was marked on one image with the places of that image."""
    name = findings.mammogram.source.name
    here = [place for place in places if place.image == name]
    near, along = (
        _near(here, groups, findings) for groups in (findings.clusters, findings.vascular)
    )
    return Surveyed(
        image=name,
        patient=patient_of(name),
        breast_cm2=float(findings.breast.sum()) * findings.mammogram.pixel_area_mm2 / 100,
        calcifications=len(findings.calcifications),
        clusters=len(findings.clusters),
        at_places=tuple(
            AtPlace(place.kind, bool(cluster), bool(vascular))
            for place, cluster, vascular in zip(
                here, near.any(axis=1), along.any(axis=1), strict=True
            )
        ),
        elsewhere=int((~near.any(axis=0)).sum()),
        vascular=len(findings.vascular),
    )


def _near(places: list[Place], groups: tuple[Cluster, ...], findings: Findings) -> np.ndarray:
    """(places, groups) bool: which lie at which."""
    reach = [NEAR_MM / spacing for spacing in findings.mammogram.spacing_mm]
    boxes = [(one.row_min, one.row_max, one.col_min, one.col_max) for one in groups]
    near = [[_within(place, box, reach) for box in boxes] for place in places]
    return np.array(near, bool).reshape(len(places), len(groups))


def _within(place: Place, box, reach) -> bool:
    top, bottom, left, right = box
    return (
        top - reach[0] <= place.row <= bottom + reach[0]
        and left - reach[1] <= place.col <= right + reach[1]
    )


def rates(surveyed: list[Surveyed]) -> dict[str, Rate]:
    """Marks per image and area at no known place, and the share of places marked, by kind."""
    patients = [one.patient for one in surveyed]
    images = np.ones(len(surveyed))
    area = np.array([one.breast_cm2 for one in surveyed])
    elsewhere = np.array([one.elsewhere for one in surveyed], float)
    mcs = np.array([one.calcifications for one in surveyed], float)
    found = {
        "clusters at no known place, per image": _rate(elsewhere, images, patients),
        "clusters at no known place, per 100 cm2": _rate(100 * elsewhere, area, patients),
        "MCs marked, per cm2": _rate(mcs, area, patients),
    }
    for kind in sorted({place.kind for one in surveyed for place in one.at_places}):
        of_kind = [[place for place in one.at_places if place.kind == kind] for one in surveyed]
        seen = np.array([len(places) for places in of_kind], float)
        label = f"places of kind {kind} marked as a cluster, of {int(seen.sum())}"
        marked = np.array([sum(place.cluster for place in places) for places in of_kind], float)
        found[label] = _rate(marked, seen, patients)
        along = np.array([sum(place.vascular for place in places) for places in of_kind], float)
        if along.any() or kind == VASCULAR:
            label = f"places of kind {kind} reported as vascular, of {int(seen.sum())}"
            found[label] = _rate(along, seen, patients)
    return found


def _rate(above: np.ndarray, below: np.ndarray, patients: list[str]) -> Rate:
    value = float(above.sum() / below.sum())
    if len(set(patients)) < 2:
        return Rate(value, None, None)
    weights = resampling_weights(patients).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        bounds = interval((weights @ above) / (weights @ below))
    return Rate(value, *(bounds or (None, None)))
