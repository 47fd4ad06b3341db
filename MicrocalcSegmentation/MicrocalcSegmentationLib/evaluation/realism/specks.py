"""What the true calcifications of an image measure: sizes, contrasts and how clusters lie."""

from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.spatial import KDTree
from skimage.measure import regionprops

from ...calcifications import Measured, label_calcifications, measure
from ...clusters import REGIONAL_MM, find_clusters
from ...findings import Calcification
from ...normalisation import local_statistics

_AXIS_FROM_PIXELS = 6  # fewer have no shape of their own, only the grid's


@dataclass(frozen=True)
class Specks:
    """1-D arrays, one value per MC: diameter_mm of the circle of the MC's area; contrast,
    peak over local background, as a share of that background; snr, the same height in
    deviations of the fine texture around.
    One per MC in a cluster: nearest_mm, to the next MC's centre; relative_peak, of the
    strongest of the cluster; axis_ratio, minor over major (MCs of some pixels only).
    One per cluster: cluster_count, cluster_extent_mm.
    What is wider than 2 cm is for BI-RADS a region, no group; readers outlined groups, so of
    regions there is regional_extent_mm alone.
    """

    diameter_mm: np.ndarray
    contrast: np.ndarray
    snr: np.ndarray
    nearest_mm: np.ndarray
    relative_peak: np.ndarray
    axis_ratio: np.ndarray
    cluster_count: np.ndarray
    cluster_extent_mm: np.ndarray
    regional_extent_mm: np.ndarray


def measure_specks(
    pixels: np.ndarray, inside: np.ndarray, mask: np.ndarray, spacing_mm: tuple[float, float]
) -> Specks:
    """Measure every MC of a true mask on its image.

    pixels: (rows, cols) float32. inside, mask: bool, breast and MCs. Background is the median
    of a ring from 0.2 to 0.7 mm around the MC; the deviation is `normalisation`'s: what lies
    below 0.25 mm, averaged over 2.5 mm.
    """
    labels = label_calcifications(mask, spacing_mm, 0.0)
    in_deviations = measure_in_deviations(labels, pixels, inside, spacing_mm)
    unit = np.ones(pixels.shape, np.float32)
    in_grey = measure(labels, Measured(pixels, unit, unit), spacing_mm)
    heights = np.array([mc.peak_contrast for mc in in_grey])
    regions = regionprops(labels, intensity_image=pixels)
    backgrounds = np.array([region.intensity_max for region in regions]) - heights
    mcs, found = find_clusters(labels, in_deviations, spacing_mm)
    clusters = [cluster for cluster in found if cluster.extent_mm <= REGIONAL_MM]
    regions_mm = [one.extent_mm for one in found if one.extent_mm > REGIONAL_MM]
    own = np.array([mc.cluster for mc in mcs], int)
    axes = np.array([_axis_ratio(region) for region in regions])
    centres_mm = np.array([(mc.row, mc.col) for mc in mcs]).reshape(-1, 2) * spacing_mm
    members = [np.flatnonzero(own == cluster.number) for cluster in clusters]
    return Specks(
        diameter_mm=np.array([mc.diameter_mm for mc in mcs]),
        contrast=heights / np.maximum(backgrounds, 1.0),
        snr=np.array([mc.peak_contrast for mc in mcs]),
        nearest_mm=_joined([_nearest(centres_mm[indices]) for indices in members]),
        relative_peak=_joined([heights[indices] / heights[indices].max() for indices in members]),
        axis_ratio=_joined([axes[indices][np.isfinite(axes[indices])] for indices in members]),
        cluster_count=np.array([cluster.count for cluster in clusters], float),
        cluster_extent_mm=np.array([cluster.extent_mm for cluster in clusters], float),
        regional_extent_mm=np.array(regions_mm, float),
    )


def measure_in_deviations(
    labels: np.ndarray, pixels: np.ndarray, inside: np.ndarray, spacing_mm: tuple[float, float]
) -> tuple[Calcification, ...]:
    """`measure` where no network has looked: contrasts on the image's own local deviation."""
    _, deviation = local_statistics(pixels, inside, spacing_mm)
    on = Measured(pixels, deviation, np.ones(pixels.shape, np.float32))
    return measure(labels, on, spacing_mm)


def with_clusters_of(specks: Specks, others: Specks) -> Specks:
    """The MCs of one and the clusters of the other."""
    single = ("diameter_mm", "contrast", "snr")
    return replace(others, **{name: getattr(specks, name) for name in single})


def pooled(specks: list[Specks]) -> Specks:
    """All MCs and clusters of several images together."""
    names = [part.name for part in fields(Specks)]
    return Specks(**{name: _joined([getattr(one, name) for one in specks]) for name in names})


def _axis_ratio(region) -> float:
    if region.area < _AXIS_FROM_PIXELS or region.axis_major_length <= 0:
        return float("nan")
    return float(region.axis_minor_length / region.axis_major_length)


def _nearest(centres_mm: np.ndarray) -> np.ndarray:
    distances, _ = KDTree(centres_mm).query(centres_mm, k=2)
    return distances[:, 1]


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *parts])
