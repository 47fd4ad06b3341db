"""From a mask to single microcalcifications: labelling and measuring."""

from dataclasses import dataclass

import numpy as np

from .findings import Calcification
from .medians import median
from .montage import Montage, batches
from .morphology import bounding_box
from .shapes import axes, kind_of

RING_MM = (0.2, 0.7)  # the local background lies this far from an MC's rim


def label_calcifications(
    mask: np.ndarray, spacing_mm: tuple[float, float], min_area_mm2: float
) -> np.ndarray:
    """(rows, cols) int32: 0, or the number of the connected region that a pixel belongs to.

    Regions touching by a corner are one MC. Those below min_area_mm2 are dropped. Numbers
    run from 1 in the order of each region's first pixel, row by row.
    """
    pixels = np.flatnonzero(mask)
    if not len(pixels):
        return np.zeros(mask.shape, np.int32)
    regions, count = connected(pixels, mask.shape[1])
    area_mm2 = np.bincount(regions, minlength=count) * spacing_mm[0] * spacing_mm[1]
    # A tolerance, for an area of exactly n pixels is not exact in binary.
    kept = area_mm2 >= min_area_mm2 * (1 - 1e-9)
    labels = np.zeros(mask.shape, np.int32)
    labels.ravel()[pixels] = np.where(kept, np.cumsum(kept), 0)[regions]
    return labels


def connected(pixels: np.ndarray, cols: int) -> tuple[np.ndarray, int]:
    """Number of each pixel's region, from 0 in the order of their first pixels, and how many.

    pixels: flat indices, sorted. An MC mask has few pixels, and this looks at no others.
    """
    links = []
    col = pixels % cols
    for down, right in ((0, 1), (1, -1), (1, 0), (1, 1)):
        target = pixels + down * cols + right
        at = np.minimum(np.searchsorted(pixels, target), len(pixels) - 1)
        inside = (col + right >= 0) & (col + right < cols)
        first = np.flatnonzero(inside & (pixels[at] == target))
        links.append(np.stack([first, at[first]]))
    number = joined(len(pixels), *np.concatenate(links, axis=1))
    firsts, regions = np.unique(number, return_inverse=True)
    return regions, len(firsts)


def joined(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """For each of so many things, the lowest number of those that links join it with."""
    # SciPy's connected_components does as much, but takes a tenth of a second to import.
    lowest = np.arange(count)
    while True:
        low = np.minimum(lowest[first], lowest[second])
        if (lowest[first] == lowest[second]).all():
            return lowest
        for ends in (first, second):
            # What an end was joined with so far goes along with it.
            np.minimum.at(lowest, lowest[ends], low)
        lowest = lowest[lowest]


def places_of(labels: np.ndarray) -> np.ndarray:
    """Flat indices of all pixels that hold a number above 0, sorted."""
    # NumPy looks through truth values ten times as fast as through integers.
    return np.flatnonzero(labels > 0)


def keep(labels: np.ndarray, kept: np.ndarray) -> None:
    """In place: 0 where kept, (n,) bool, is False for the number, counted from 1."""
    places = places_of(labels)
    labels.ravel()[places[~kept[labels.ravel()[places] - 1]]] = 0


def centroids(labels: np.ndarray) -> np.ndarray:
    """(n, 2) float64: mean row and column of the pixels of each number from 1."""
    places = places_of(labels)
    numbers = labels.ravel()[places] - 1
    sizes = np.bincount(numbers)
    sides = divmod(places, labels.shape[1])
    return np.stack([np.bincount(numbers, side) / sizes for side in sides], axis=1)


def find_boxes(labels: np.ndarray) -> list[tuple[slice, slice] | None]:
    """`scipy.ndimage.find_objects`, for labels that are nearly all 0: looks at the rest only."""
    places = places_of(labels)
    numbers = labels.ravel()[places].astype(np.intp) - 1
    first = np.full((2, int(numbers.max(initial=-1)) + 1), max(labels.shape))
    last = np.full_like(first, -1)
    for axis, along in enumerate(divmod(places, labels.shape[1])):
        np.minimum.at(first[axis], numbers, along)
        np.maximum.at(last[axis], numbers, along)
    return [
        (slice(top, bottom + 1), slice(left, right + 1)) if bottom >= 0 else None
        for top, left, bottom, right in zip(*first.tolist(), *last.tolist(), strict=True)
    ]


@dataclass(frozen=True)
class Measured:
    """What calcifications are measured on, all (rows, cols) and of one grid.

    pixels: grey values. deviation: local deviation of the fine texture, in grey values,
    positive on MCs. probability: the segmentator's. first_rc: where these begin in the image
    by whose rows and columns MCs are placed.
    """

    pixels: np.ndarray
    deviation: np.ndarray
    probability: np.ndarray
    first_rc: tuple[int, int] = (0, 0)

    def part(self, box: tuple[slice, slice]) -> "Measured":
        """What lies in a box of it, placed as before."""
        first_rc = tuple(old + side.start for old, side in zip(self.first_rc, box, strict=True))
        return Measured(self.pixels[box], self.deviation[box], self.probability[box], first_rc)


def measure(
    labels: np.ndarray, on: Measured, spacing_mm: tuple[float, float]
) -> tuple[Calcification, ...]:
    """Measure every labelled MC; none belongs to a cluster or a vessel yet.

    Contrast is (pixel - local background) / local deviation, the background being the
    median of a ring from 0.2 to 0.7 mm around the MC without pixels of any MC; where all
    of the ring is MC, the median of the pixels that the ring spans.
    """
    windows = [
        (number, window_around(box, labels.shape, spacing_mm))
        for number, box in enumerate(find_boxes(labels), 1)
        if box is not None
    ]
    return tuple(
        _measure_one(mc, ring, labels, on, spacing_mm)
        for some in batches(windows)
        for mc, ring in zip(some, _rings(some, labels, spacing_mm), strict=True)
    )


def _rings(windows, labels: np.ndarray, spacing_mm) -> list[np.ndarray]:
    """(rows, cols) bool for each MC, (number, window): the ring around it, in its window."""
    masks = [labels[window] == number for number, window in windows]
    # A disc around an MC at the image's edge reaches beyond its window.
    montage = Montage([mask.shape for mask in masks], max(_reach(RING_MM[1], spacing_mm)))
    laid = montage.lay(masks, False)
    ring = _dilated(laid, RING_MM[1], spacing_mm) & ~_dilated(laid, RING_MM[0], spacing_mm)
    return [ring[place] for place in montage.places]


def _measure_one(mc, ring, labels: np.ndarray, on: Measured, spacing_mm) -> Calcification:
    number, window = mc
    here = labels[window]
    mask = here == number
    rows, cols = np.nonzero(mask)
    area_mm2 = len(rows) * spacing_mm[0] * spacing_mm[1]
    grey, deviation = on.pixels[window], on.deviation[window]
    clear = ring & (here == 0)
    background = median(grey[clear] if clear.any() else grey)
    contrast = (grey[mask] - background) / deviation[mask]
    length_mm, width_mm, angle_deg = axes(rows * spacing_mm[0], cols * spacing_mm[1], spacing_mm)
    return Calcification(
        number=number,
        cluster=0,
        row=float(rows.mean() + (on.first_rc[0] + window[0].start)),
        col=float(cols.mean() + (on.first_rc[1] + window[1].start)),
        area_mm2=float(area_mm2),
        diameter_mm=float(2 * np.sqrt(area_mm2 / np.pi)),
        mean_contrast=float(contrast.mean()),
        peak_contrast=float(contrast.max()),
        probability=float(on.probability[window][mask].max()),
        length_mm=length_mm,
        width_mm=width_mm,
        angle_deg=angle_deg,
        kind=kind_of(mask, length_mm / width_mm, spacing_mm),
    )


def window_of(mask: np.ndarray, spacing_mm: tuple[float, float]) -> tuple[slice, slice]:
    """The part of the image that holds all MCs of a mask and all that each is measured on."""
    if not mask.any():
        return slice(0, 0), slice(0, 0)
    return bounding_box(mask, [reach + 1 for reach in _reach(RING_MM[1], spacing_mm)])


def window_around(box, shape, spacing_mm) -> tuple[slice, slice]:
    """The box of an MC with its surroundings, within the image."""
    return tuple(
        slice(max(0, side.start - reach - 1), min(size, side.stop + reach + 1))
        for side, reach, size in zip(box, _reach(RING_MM[1], spacing_mm), shape, strict=True)
    )


def _reach(radius_mm: float, spacing_mm) -> list[int]:
    return [int(np.ceil(radius_mm / spacing)) for spacing in spacing_mm]


def _dilated(mask: np.ndarray, radius_mm: float, spacing_mm) -> np.ndarray:
    """By a disc, row by row of the disc: a row is a run of pixels, and sums tell of runs."""
    reach = _reach(radius_mm, spacing_mm)
    rows, cols = np.ogrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    disc = (rows * spacing_mm[0]) ** 2 + (cols * spacing_mm[1]) ** 2 <= radius_mm**2
    height, width = mask.shape
    sums = np.pad(mask, [(0, 0), (reach[1] + 1, reach[1])]).cumsum(axis=1, dtype=np.int32)
    dilated = np.zeros((height + 2 * reach[0], width), bool)
    for down, run in enumerate(disc.sum(axis=1)):
        if run:
            half = run // 2
            last, before = reach[1] + 1 + half, reach[1] - half
            near = sums[:, last : last + width] > sums[:, before : before + width]
            dilated[down : down + height] |= near
    return dilated[reach[0] : reach[0] + height]
