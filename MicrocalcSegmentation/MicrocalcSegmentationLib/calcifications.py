"""From a mask to single microcalcifications: labelling and measuring."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects, label

from .findings import Calcification

RING_MM = (0.2, 0.7)  # the local background lies this far from an MC's rim
_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


def label_calcifications(
    mask: np.ndarray, spacing_mm: tuple[float, float], min_area_mm2: float
) -> np.ndarray:
    """(rows, cols) int32: 0, or the number of the connected region that a pixel belongs to.

    Regions touching by a corner are one MC. Those below min_area_mm2 are dropped. Numbers
    run from 1 in the order of each region's first pixel, row by row.
    """
    regions, count = label(mask, structure=_EIGHT_NEIGHBOURS)
    # Nearly all of a mask is empty; the few pixels of the regions are all that is looked at.
    places = np.flatnonzero(regions)
    region_of = regions.ravel()[places]
    area_mm2 = np.bincount(region_of, minlength=count + 1) * spacing_mm[0] * spacing_mm[1]
    # A tolerance, for an area of exactly n pixels is not exact in binary.
    kept = area_mm2 >= min_area_mm2 * (1 - 1e-9)
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    labels = np.zeros(regions.shape, np.int32)
    labels.ravel()[places] = numbers[region_of]
    return labels


@dataclass(frozen=True)
class Measured:
    """What calcifications are measured on, all (rows, cols) and of one grid.

    pixels: grey values. deviation: local deviation of the fine texture, in grey values,
    positive. probability: the segmentator's.
    """

    pixels: np.ndarray
    deviation: np.ndarray
    probability: np.ndarray


def measure(
    labels: np.ndarray, on: Measured, spacing_mm: tuple[float, float]
) -> tuple[Calcification, ...]:
    """Measure every labelled MC; none belongs to a cluster yet.

    Contrast is (pixel - local background) / local deviation, the background being the
    median of a ring from 0.2 to 0.7 mm around the MC without pixels of any MC; where all
    of the ring is MC, the median of the pixels that the ring spans.
    """
    boxes = find_objects(labels)
    return tuple(
        _measure_one(number, box, labels, on, spacing_mm)
        for number, box in enumerate(boxes, 1)
        if box is not None
    )


def _measure_one(number: int, box, labels, on: Measured, spacing_mm) -> Calcification:
    window = _grown(box, labels.shape, spacing_mm)
    here = labels[window]
    mask = here == number
    rows, cols = np.nonzero(mask)
    area_mm2 = len(rows) * spacing_mm[0] * spacing_mm[1]
    grey, deviation = on.pixels[window], on.deviation[window]
    distance_mm = distance_transform_edt(~mask, sampling=spacing_mm)
    ring = (distance_mm > RING_MM[0]) & (distance_mm <= RING_MM[1])
    clear = ring & (here == 0)
    background = np.median(grey[clear] if clear.any() else grey)
    contrast = (grey[mask] - background) / deviation[mask]
    return Calcification(
        number=number,
        cluster=0,
        row=float(rows.mean() + window[0].start),
        col=float(cols.mean() + window[1].start),
        area_mm2=float(area_mm2),
        diameter_mm=float(2 * np.sqrt(area_mm2 / np.pi)),
        mean_contrast=float(contrast.mean()),
        peak_contrast=float(contrast.max()),
        probability=float(on.probability[window][mask].max()),
    )


def _grown(box, shape, spacing_mm) -> tuple[slice, slice]:
    reach = [int(np.ceil(RING_MM[1] / spacing)) + 1 for spacing in spacing_mm]
    return tuple(
        slice(max(0, side.start - r), min(size, side.stop + r))
        for side, r, size in zip(box, reach, shape, strict=True)
    )
