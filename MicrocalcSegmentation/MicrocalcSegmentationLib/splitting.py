"""Distinct MCs inside one connected region of the mask.

The specks of an amorphous cluster touch, and a mask merges them. A reader counts them by
their bright centres; so does this, on the image itself. The probability is not used: it is
flat at 1 inside an MC, and a mask drawn by hand has none. So the same mask is divided alike
whether it comes from the networks or from a reader who changed nothing in it.

All figures are our own choice, measured on simulated MCs that touch (see Resources/Formats.md).
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects, gaussian_filter, label
from skimage.morphology import local_maxima
from skimage.segmentation import watershed

from .calcifications import find_boxes, label_calcifications, places_of, window_around
from .medians import median
from .montage import Montage, batches

APART_MM = 0.25  # centres closer than the median diameter of an MC (0.24 mm) are one MC
SMOOTHING_MM = 0.05  # near a system's own blur: less noise, hardly less detail
TEXTURE_MM = 0.25  # what is coarser than this around an MC is anatomy, not noise
NOISE_FACTOR = 2.0  # depth of the valley between two MCs over the smoothed noise around them
VALLEY = 0.1  # and over the height of the lower one: lumps of one calcification are shallower
LARGEST_MM = 1.0  # MCs are 0.1 to 1 mm; a larger part is of a coarse calcification, left whole
WIDEST_MM = 12.0  # beyond, a mask shows no MCs but the threshold's being too low
NECK = 0.4  # share by which the mask is narrower between two parts than in the lesser: two


def distinct_calcifications(
    mask: np.ndarray, pixels: np.ndarray, spacing_mm: tuple[float, float], min_area_mm2: float
) -> np.ndarray:
    """(rows, cols) int32: as `label_calcifications`, each region divided into its MCs.

    Every pixel of a region that is large enough keeps a number: dividing drops none.
    """
    labels = label_calcifications(mask, spacing_mm, min_area_mm2)
    return split_touching(labels, pixels, spacing_mm, min_area_mm2)


def split_touching(
    labels: np.ndarray, pixels: np.ndarray, spacing_mm: tuple[float, float], min_area_mm2: float
) -> np.ndarray:
    """Divide regions where the image, or a neck of the region, shows that they are several MCs.

    labels: (rows, cols) int32, numbers from 1; divided in place, for at full size another array
    takes longer than all the rest. pixels: grey values, MCs bright. Returns the labels, numbered
    in the order of each part's first pixel.
    """
    pixel_mm2 = spacing_mm[0] * spacing_mm[1]
    rules = _Rules(spacing_mm, max(1, int(np.ceil(min_area_mm2 / pixel_mm2 * (1 - 1e-9)))))
    boxes = find_boxes(labels)
    regions = [
        (box, labels[box] == number)
        for number, box in enumerate(boxes, 1)
        if box is not None and APART_MM < _across_mm(box, spacing_mm) <= WIDEST_MM
    ]
    largest = len(boxes)
    for some in batches(regions):
        pieces = _between_necks(some, labels, pixels, rules)
        for piece, parts in zip(pieces, _divided(pieces, rules), strict=True):
            labels[piece.box][piece.inside] = parts[piece.inside] + largest
            largest += int(parts.max())
    _renumber(labels)
    return labels


@dataclass(frozen=True)
class _Rules:
    spacing_mm: tuple[float, float]
    min_pixels: int


@dataclass(frozen=True)
class _Piece:
    """A connected part of the mask.

    box: slices of the image. inside: (rows, cols) bool, the piece in its box. height: of that
    shape, by whose maxima it is divided, where they are separated by such a depth.
    """

    box: tuple[slice, slice]
    inside: np.ndarray
    height: np.ndarray
    depth: "_Depth"


def _across_mm(box, spacing_mm) -> float:
    sides = [(side.stop - side.start) * mm for side, mm in zip(box, spacing_mm, strict=True)]
    return float(np.hypot(*sides))


def _between_necks(regions: list, labels: np.ndarray, pixels: np.ndarray, rules) -> list[_Piece]:
    """Regions, each (box, mask in it), cut at their necks; height: of the image above its level."""
    montage = Montage([inside.shape for _, inside in regions])
    mask = montage.lay([inside for _, inside in regions], False)
    width = distance_transform_edt(mask, sampling=rules.spacing_mm)
    whole = [
        _Piece(*region, width[place], _Depth(0.0, NECK, np.inf))
        for region, place in zip(regions, montage.places, strict=True)
    ]
    pieces = []
    for region, parts in zip(whole, _divided(whole, rules), strict=True):
        window = window_around(region.box, labels.shape, rules.spacing_mm)
        height, noise = _height(pixels[window], labels[window] == 0, rules.spacing_mm)
        for number, part in enumerate(find_objects(parts), 1):
            box = _moved(part, [side.start for side in region.box])
            above = height[_moved(box, [-side.start for side in window])]
            depth = _Depth(NOISE_FACTOR * noise, VALLEY, LARGEST_MM)
            pieces.append(_Piece(box, parts[part] == number, above, depth))
    return pieces


def _moved(box, by: list[int]) -> tuple[slice, slice]:
    return tuple(
        slice(side.start + way, side.stop + way) for side, way in zip(box, by, strict=True)
    )


def _height(pixels: np.ndarray, clear: np.ndarray, spacing_mm) -> tuple[np.ndarray, float]:
    """The smoothed image above its level in the clear, which is without any MC, and its noise."""
    smooth, fine = _smoothed(pixels, spacing_mm)
    around = clear if clear.any() else np.ones(clear.shape, bool)
    noise = 1.4826 * median(np.abs(fine[around]))
    return smooth - median(smooth[around]), float(noise)


def _smoothed(pixels: np.ndarray, spacing_mm) -> tuple[np.ndarray, np.ndarray]:
    """The smoothed image, and what of it is finer than `TEXTURE_MM`: its noise."""
    grey = pixels.astype(np.float64)
    smooth, coarse = (
        gaussian_filter(grey, [width / mm for mm in spacing_mm], mode="nearest")
        for width in (SMOOTHING_MM, TEXTURE_MM)
    )
    return smooth, smooth - coarse


def _divided(pieces: list[_Piece], rules) -> list[np.ndarray]:
    """For each piece (rows, cols) int: its parts, from 1."""
    # Nearly all have one maximum, and to look for basins takes far longer than for maxima.
    return [
        _basins(piece, rules) if peaks > 1 else piece.inside.astype(np.int32)
        for piece, peaks in zip(pieces, _count_maxima(pieces), strict=True)
    ]


def _count_maxima(pieces: list[_Piece]) -> list[int]:
    montage = Montage([piece.inside.shape for piece in pieces])
    height = montage.lay([piece.height for piece in pieces], -np.inf)
    inside = montage.lay([piece.inside for piece in pieces], False)
    peaks, _ = label(local_maxima(height, connectivity=2) & inside, np.ones((3, 3)))
    return [np.count_nonzero(np.unique(peaks[place])) for place in montage.places]


def _basins(piece: _Piece, rules) -> np.ndarray:
    """(rows, cols) int: parts of a piece, from 1, around maxima that deep valleys separate.

    Passes are crossed from the highest one down, so that each maximum first meets the
    neighbour that it most belongs to.
    """
    surface, inside = piece.height, piece.inside
    basins = watershed(-surface, mask=inside, connectivity=2)
    parts = _parts(surface, basins, rules.spacing_mm)
    belongs = np.arange(len(parts) + 1)
    for one, other, height in _passes(surface, basins):
        first, second = sorted((int(belongs[one]), int(belongs[other])))
        pair = parts[first], parts[second]
        if first == second or _distinct(pair, height, piece.depth, rules):
            continue
        parts[first] = _joined(parts[first], parts[second])
        belongs[belongs == second] = first
    _, numbers = np.unique(belongs[basins[inside]], return_inverse=True)
    basins[inside] = numbers.ravel() + 1
    return basins


@dataclass(frozen=True)
class _Depth:
    """What separates two parts: a valley of at least `least` below the lower maximum and of
    at least `share` of its height, where neither part is more than `largest_mm` across.
    """

    least: float
    share: float
    largest_mm: float


@dataclass(frozen=True)
class _Part:
    """height, place_mm: of its peak. low_mm, high_mm: corners of its box. pixels: how many."""

    height: float
    place_mm: np.ndarray
    low_mm: np.ndarray
    high_mm: np.ndarray
    pixels: int


def _parts(surface: np.ndarray, basins: np.ndarray, spacing_mm) -> dict[int, _Part]:
    parts = {}
    for number, box in enumerate(find_objects(basins), 1):
        places = np.argwhere(basins[box] == number) + [side.start for side in box]
        heights = surface[tuple(places.T)]
        at = int(heights.argmax())
        places_mm = places * spacing_mm
        parts[number] = _Part(
            float(heights[at]),
            places_mm[at],
            places_mm.min(axis=0),
            places_mm.max(axis=0),
            len(places),
        )
    return parts


def _joined(one: _Part, other: _Part) -> _Part:
    higher = one if one.height >= other.height else other
    return _Part(
        higher.height,
        higher.place_mm,
        np.minimum(one.low_mm, other.low_mm),
        np.maximum(one.high_mm, other.high_mm),
        one.pixels + other.pixels,
    )


def _distinct(pair: tuple[_Part, _Part], height: float, depth, rules) -> bool:
    """Whether two parts that touch, with their pass at a height, are two MCs."""
    one, other = pair
    lower = min(one.height, other.height)
    across_mm = [np.hypot(*(part.high_mm - part.low_mm)) for part in pair]
    return (
        np.hypot(*(one.place_mm - other.place_mm)) >= APART_MM * (1 - 1e-9)
        and min(one.pixels, other.pixels) >= rules.min_pixels
        and max(across_mm) <= depth.largest_mm
        and lower - height >= max(depth.least, depth.share * lower, 1e-9 * abs(lower))
    )


def _passes(surface: np.ndarray, basins: np.ndarray) -> list[tuple[int, int, float]]:
    """Touching basins and the highest pass between them, the highest first."""
    rows, cols = basins.shape
    ones, others, heights = [], [], []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, rows - down), slice(max(0, -right), cols - max(0, right)))
        there = (slice(down, rows), slice(max(0, right), cols + min(0, right)))
        border = (basins[here] != basins[there]) & (basins[here] > 0) & (basins[there] > 0)
        ones.append(basins[here][border])
        others.append(basins[there][border])
        heights.append(np.minimum(surface[here], surface[there])[border])
    one, other, height = (np.concatenate(parts) for parts in (ones, others, heights))
    order = np.argsort(-height, kind="stable")
    return list(zip(one[order], other[order], height[order].tolist(), strict=True))


def _renumber(labels: np.ndarray) -> None:
    """In place: numbers from 1 in the order of first pixels."""
    places = places_of(labels)
    if len(places):
        _, first, number = np.unique(labels.ravel()[places], return_index=True, return_inverse=True)
        order = np.empty(len(first), np.int32)
        order[np.argsort(first)] = np.arange(1, len(first) + 1)
        labels.ravel()[places] = order[number.ravel()]
