"""How the MCs of an image are divided into named, coloured, coded segments.

One segment per cluster, one for all isolated MCs, one for all coarse calcifications, and
one per vascular group. The files and the viewers
share this division, so that a cluster has the same name and colour everywhere.
"""

import colorsys
from dataclasses import dataclass

import numpy as np

from ..calcifications import places_of
from ..findings import Calcification, Findings

Colour = tuple[float, float, float]
Code = tuple[str, str, str]  # coding scheme, value, meaning

# DICOM PS3.16: CID 7150 (category), CID 6015 (type), CID 4031 (region), CID 244 (laterality).
ABNORMAL_STRUCTURE: Code = ("SCT", "49755003", "Morphologically Abnormal Structure")
CALCIFICATION_CLUSTER: Code = ("SCT", "129769006", "Calcification Cluster")
INDIVIDUAL_CALCIFICATION: Code = ("SCT", "129770007", "Individual Calcification")
BREAST: Code = ("SCT", "76752008", "Breast")
LATERALITY: dict[str | None, Code] = {
    "L": ("SCT", "7771000", "Left"),
    "R": ("SCT", "24028007", "Right"),
}

ISOLATED_COLOUR: Colour = (0.25, 0.9, 1.0)
COARSE_COLOUR: Colour = (0.80, 0.80, 0.72)
VASCULAR_COLOUR: Colour = (0.85, 0.05, 0.20)
# Saturated, because the image under them is grey; ordered so that neighbours differ in
# hue and in lightness, which also serves readers who confuse red and green.
_CLUSTER_COLOURS: tuple[Colour, ...] = (
    (1.0, 0.60, 0.0),
    (0.45, 0.70, 1.0),
    (1.0, 0.92, 0.25),
    (0.95, 0.35, 0.75),
    (0.20, 0.80, 0.35),
    (1.0, 0.30, 0.20),
    (0.68, 0.50, 1.0),
    (0.72, 0.95, 0.35),
    (0.10, 0.65, 0.60),
    (0.72, 0.45, 0.20),
    (0.20, 0.40, 1.0),
    (0.75, 0.15, 0.50),
)
_GOLDEN_ANGLE = 0.381966  # of a turn: successive hues never come close to one another


@dataclass(frozen=True)
class Segment:
    """One named set of MCs.

    value: its label in `segment_map`, from 1; a cluster's is its number.
    key: "Cluster_1", "Isolated", "Coarse" or "Vascular_1", as `segment_key` gives it.
    """

    value: int
    key: str
    count: int
    name: str
    colour: Colour
    type_code: Code


def segment_key(mc: Calcification) -> str:
    """The `Segment.key` that a calcification belongs to."""
    if mc.cluster:
        return f"Cluster_{mc.cluster}"
    if mc.vascular:
        return f"Vascular_{mc.vascular}"
    return "Coarse" if mc.coarse else "Isolated"


def mc_colour(mc: Calcification) -> Colour:
    """RGB in [0, 1] of the segment that a calcification belongs to."""
    if mc.vascular:
        return VASCULAR_COLOUR
    return COARSE_COLOUR if mc.coarse else cluster_colour(mc.cluster)


@dataclass(frozen=True)
class Marked:
    """The pixels of MCs alone: of millions, a few thousand.

    places: (n,) int32 indices into the flat image. numbers: (n,) int32, of the MC there.
    """

    places: np.ndarray
    numbers: np.ndarray


def cluster_colour(number: int) -> Colour:
    """RGB in [0, 1] of cluster `number` (from 1); 0 stands for isolated MCs."""
    if number == 0:
        return ISOLATED_COLOUR
    if number <= len(_CLUSTER_COLOURS):
        return _CLUSTER_COLOURS[number - 1]
    return colorsys.hsv_to_rgb(number * _GOLDEN_ANGLE % 1.0, 0.75, 1.0)


def count_text(count: int) -> str:
    """ "1 MC", "12 MCs"."""
    return f"{count} MC" if count == 1 else f"{count} MCs"


def segments(findings: Findings) -> tuple[Segment, ...]:
    """The clusters in their own order, then what is isolated, coarse and vascular, if any."""
    mcs = findings.calcifications
    found = [_cluster_segment(cluster.number, cluster.count) for cluster in findings.clusters]
    for key, count, colour in (
        ("Isolated", sum(mc.isolated for mc in mcs), ISOLATED_COLOUR),
        ("Coarse", sum(mc.coarse for mc in mcs), COARSE_COLOUR),
        *((f"Vascular_{one.number}", one.count, VASCULAR_COLOUR) for one in findings.vascular),
    ):
        if count:
            name = f"{key.replace('_', ' ')} ({count_text(count)})"
            found.append(
                Segment(len(found) + 1, key, count, name, colour, INDIVIDUAL_CALCIFICATION)
            )
    return tuple(found)


def _cluster_segment(number: int, count: int) -> Segment:
    name = f"Cluster {number} ({count_text(count)})"
    colour = cluster_colour(number)
    return Segment(number, f"Cluster_{number}", count, name, colour, CALCIFICATION_CLUSTER)


def segment_map(findings: Findings) -> np.ndarray:
    """(rows, cols) uint8 or uint16: 0, or the `Segment.value` that a pixel belongs to."""
    on_mcs = marked(findings.labels)
    values = segment_values(findings, on_mcs)
    found = np.zeros(findings.labels.shape, values.dtype)
    found.ravel()[on_mcs.places] = values
    return found


def marked(labels: np.ndarray) -> Marked:
    """Where (rows, cols) labels are not 0."""
    places = places_of(labels).astype(np.int32)
    return Marked(places, labels.ravel()[places])


def segment_values(findings: Findings, on_mcs: Marked) -> np.ndarray:
    """(n,) uint8 or uint16, the `Segment.value` of each marked pixel."""
    values = {segment.key: segment.value for segment in segments(findings)}
    largest = max(values.values(), default=0)
    dtype = np.uint8 if largest <= np.iinfo(np.uint8).max else np.uint16
    value_of_mc = np.zeros(int(on_mcs.numbers.max(initial=0)) + 1, dtype=dtype)
    for mc in findings.calcifications:
        value_of_mc[mc.number] = values[segment_key(mc)]
    return value_of_mc[on_mcs.numbers]


def region_codes(laterality: str | None) -> tuple[Code, Code | None]:
    """Anatomic region and its side (None where the side is not known)."""
    return BREAST, LATERALITY.get(laterality)
