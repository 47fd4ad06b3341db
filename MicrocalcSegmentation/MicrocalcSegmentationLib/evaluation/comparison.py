"""One image's found MCs and clusters put against the true ones."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..calcifications import label_calcifications
from ..clusters import group
from ..findings import Findings
from .matching import Matches, Regions, lie_on, match, regions
from .outlines import cluster_outlines, overlaps

EVERY_MC_MM2 = 0.0  # a true MC counts whatever its size
COLUMNS = ("kind", "true", "found", "cluster", "row", "col", "distance_mm", "iou")


@dataclass(frozen=True)
class Truth:
    """mcs: every connected region of the true mask. cluster: (n,) int, the cluster of
    each, 0 when isolated; outlines: of the clusters, in the order of their numbers.
    ignored: connected regions of pixels that count neither as MC nor as tissue.
    """

    mcs: Regions
    cluster: np.ndarray
    outlines: list[np.ndarray]
    ignored: Regions
    spacing_mm: tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """overlapping: (found clusters, true clusters) bool.

    ignored: (found MCs,) bool, those that match no true one and lie on ignored pixels.
    false_mcs: (found MCs,) bool, those that neither match nor are ignored. false_clusters:
    (found clusters,) bool, those that overlap no true one, and without the ignored MCs
    would be clusters still.
    """

    found: Regions
    truth: Truth
    matches: Matches
    overlapping: np.ndarray
    ignored: np.ndarray
    false_mcs: np.ndarray
    false_clusters: np.ndarray


def truth_of(
    mask: np.ndarray, spacing_mm: tuple[float, float], ignored: np.ndarray | None = None
) -> Truth:
    """The MCs and clusters of a true mask, (rows, cols) bool.

    ignored: bool, pixels that are neither MC nor tissue; None when there are none.
    """
    ignored = np.zeros_like(mask) if ignored is None else ignored
    mcs, others = (
        regions(label_calcifications(marked, spacing_mm, EVERY_MC_MM2), spacing_mm)
        for marked in (mask, ignored)
    )
    cluster = cluster_numbers(mcs.centroids_mm)
    return Truth(mcs, cluster, cluster_outlines(mcs, cluster), others, spacing_mm)


def truth_of_regions(mask: np.ndarray, spacing_mm: tuple[float, float]) -> Truth:
    """Of a mask that outlines regions which hold MCs: each is a cluster, and no MC is known."""
    marked = regions(label_calcifications(mask, spacing_mm, EVERY_MC_MM2), spacing_mm)
    outlines = cluster_outlines(marked, np.arange(1, len(marked) + 1))
    none = regions(np.zeros(mask.shape, np.int32), spacing_mm)
    return Truth(none, np.zeros(0, int), outlines, none, spacing_mm)


def cluster_numbers(centroids_mm: np.ndarray) -> np.ndarray:
    """(n,) int: the cluster of each MC by the method's definition, 0 when isolated."""
    numbers = np.zeros(len(centroids_mm), int)
    for number, members in enumerate(group(centroids_mm), start=1):
        numbers[members] = number
    return numbers


def compare(found: Regions, cluster: np.ndarray, truth: Truth) -> Comparison:
    """cluster: (found,) int, the cluster of each found MC, 0 when isolated."""
    table = overlaps(cluster_outlines(found, cluster), truth.outlines)
    matches = match(found, truth.mcs)
    unmatched = np.ones(len(found), bool)
    unmatched[matches.found] = False
    ignored = unmatched & lie_on(found, truth.ignored)
    alone = ~table.any(axis=1)
    for index, number in enumerate(np.unique(cluster[cluster > 0])):
        members = cluster == number
        if alone[index] and ignored[members].any():
            alone[index] = cluster_numbers(found.centroids_mm[members & ~ignored]).any()
    return Comparison(found, truth, matches, table, ignored, unmatched & ~ignored, alone)


def compare_findings(findings: Findings, truth: Truth) -> Comparison:
    """Compare at the threshold, and with the clusters, that the findings have."""
    found = regions(findings.labels, truth.spacing_mm)
    return compare(found, np.array([mc.cluster for mc in findings.calcifications], int), truth)


def write_comparison(comparison: Comparison, path: Path) -> None:
    """A CSV line for each true MC, found or missed, and each found MC that is none.

    Columns: kind (matched, missed, false, ignored), number of the true and of the found MC, the
    true one's cluster, centroid in pixels, distance in mm and IoU of the pair.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_rows(comparison))


def _rows(comparison: Comparison) -> list[tuple]:
    found, truth, matches = comparison.found, comparison.truth, comparison.matches
    pair_of = {int(t): i for i, t in enumerate(matches.true)}
    rows = []
    for index, centroid in enumerate(truth.mcs.centroids_mm):
        place = _place(centroid, truth.spacing_mm)
        pair = pair_of.get(index)
        if pair is None:
            rows.append(("missed", index + 1, "", truth.cluster[index], *place, "", ""))
            continue
        other = int(matches.found[pair])
        apart = float(np.linalg.norm(found.centroids_mm[other] - centroid))
        tail = (f"{apart:.3f}", f"{matches.iou[pair]:.3f}")
        rows.append(("matched", index + 1, other + 1, truth.cluster[index], *place, *tail))
    for index in sorted(set(range(len(found))) - set(matches.found.tolist())):
        place = _place(found.centroids_mm[index], truth.spacing_mm)
        kind = "ignored" if comparison.ignored[index] else "false"
        rows.append((kind, "", index + 1, "", *place, "", ""))
    return rows


def _place(centroid_mm: np.ndarray, spacing_mm: tuple[float, float]) -> tuple[str, str]:
    row, col = centroid_mm / np.asarray(spacing_mm)
    return f"{row:.2f}", f"{col:.2f}"
