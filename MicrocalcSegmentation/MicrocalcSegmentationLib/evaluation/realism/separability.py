"""Whether one simple statistic tells true MCs from whatever else stands out of the image.

If it does, a network needs to learn no more than that statistic, and on real images,
where it does not hold, it fails.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, label, maximum_filter

from ...calcifications import label_calcifications
from ...normalisation import local_statistics
from ..intervals import interval, resampling_weights

STATISTICS = ("peak grey", "local contrast", "edge width", "size")
APART_MM = 0.5  # another maximum lies at least this far from every MC
STANDS_OUT_FROM = 1.5  # deviations; there is no end of lower maxima
MAXIMUM_MM = 0.35  # side of the square in which a maximum is the highest
AT_MOST = 1000  # maxima of an image, drawn at random, and as many of the strongest
RESAMPLES = 500
_REACH_MM, _RING_FROM_MM, _EDGE_WITHIN_MM = 0.9, 0.5, 0.5


@dataclass(frozen=True)
class Candidates:
    """What stands out of one image. statistics: (n, 4), in the order of `STATISTICS`: grey
    value, deviations, mm, mm. true: (n,) bool, MC or not. drawn: (n,) bool, MCs and a random
    draw of the other maxima; the rest are among the strongest.
    """

    statistics: np.ndarray
    true: np.ndarray
    drawn: np.ndarray

    def only(self, kept: np.ndarray) -> "Candidates":
        """Those of an index array or bool mask."""
        return Candidates(self.statistics[kept], self.true[kept], self.drawn[kept])


@dataclass(frozen=True)
class Separation:
    """auc: chance that an MC's statistic is above that of something else; 0.5 tells nothing,
    1 and 0 everything; None without MCs or without others. interval: 95 %, by resampling images.
    against: "all" maxima, or the "strongest", as many as MCs.
    """

    statistic: str
    against: str
    auc: float | None
    interval: tuple[float, float] | None
    mcs: int
    others: int


def find_candidates(
    pixels: np.ndarray,
    inside: np.ndarray,
    masks: tuple[np.ndarray, np.ndarray],
    spacing_mm: tuple[float, float],
) -> Candidates:
    """True MCs at their brightest pixel, and other local maxima that stand out.

    pixels: (rows, cols) float32. inside: bool. masks: MCs that count, and calcifications too
    faint to count, which are neither; bool. Both kinds of place are measured alike.
    """
    mask, faint = masks
    mean, deviation = local_statistics(pixels, inside, spacing_mm)
    peaks = _brightest(pixels, label_calcifications(mask, spacing_mm, 0.0))
    others, drawn = _maxima((pixels - mean) / deviation, inside, mask | faint, spacing_mm)
    places = np.concatenate([peaks, others])
    measured = [_statistics(pixels, deviation, place, spacing_mm) for place in places]
    statistics = np.array(measured).reshape(-1, len(STATISTICS))
    true = np.arange(len(places)) < len(peaks)
    kept = true | (statistics[:, 1] >= STANDS_OUT_FROM)
    drawn = np.concatenate([np.ones(len(peaks), bool), drawn])
    return Candidates(statistics, true, drawn).only(kept)


def separate(images: list[Candidates]) -> list[Separation]:
    """How well each statistic does by itself, on all images together.

    Images without MCs, or with nothing else, only add to the other side.
    """
    found = []
    sets = {
        "all": [one.only(one.drawn) for one in images],
        "strongest": [_strongest(one) for one in images],
    }
    for against, kept in sets.items():
        true = np.concatenate([one.true for one in kept])
        owner = np.repeat(np.arange(len(kept)), [len(one.true) for one in kept])
        weights = resampling_weights([str(n) for n in range(len(kept))], RESAMPLES)
        for column, name in enumerate(STATISTICS):
            values = np.concatenate([one.statistics[:, column] for one in kept])
            order = _Order(values, true)
            replicates = np.array([order.auc(weight[owner]) for weight in weights])
            auc = order.auc(np.ones(len(true)))
            auc = auc if np.isfinite(auc) else None
            counts = (int(true.sum()), int((~true).sum()))
            found.append(Separation(name, against, auc, interval(replicates), *counts))
    return found


class _Order:
    """Values sorted once, for many weightings."""

    def __init__(self, values: np.ndarray, true: np.ndarray):
        self._ranks = np.unique(values, return_inverse=True)[1].reshape(-1)
        self._true = true

    def auc(self, weight: np.ndarray) -> float:
        """Weighted area under the ROC curve, ties counting half; NaN without both classes."""
        count = int(self._ranks.max(initial=-1)) + 1
        positive = np.bincount(self._ranks, weight * self._true, count)
        negative = np.bincount(self._ranks, weight * ~self._true, count)
        pairs = positive.sum() * negative.sum()
        below = np.cumsum(negative) - negative / 2
        return float((positive * below).sum() / pairs) if pairs else float("nan")


def _strongest(image: Candidates) -> Candidates:
    """The MCs, and as many of the others, those of most contrast."""
    others = np.flatnonzero(~image.true)
    by_contrast = others[np.argsort(-image.statistics[others, 1], kind="stable")]
    kept = np.concatenate([np.flatnonzero(image.true), by_contrast[: image.true.sum()]])
    return image.only(kept)


def _brightest(pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n, 2) place of the brightest pixel of each label."""
    rows, cols = np.nonzero(labels)
    order = np.lexsort((pixels[rows, cols], labels[rows, cols]))
    last = np.flatnonzero(np.diff(labels[rows, cols][order], append=-1))
    return np.stack([rows[order][last], cols[order][last]], axis=1).reshape(-1, 2)


def _maxima(height: np.ndarray, inside: np.ndarray, known: np.ndarray, spacing_mm):
    """Local maxima inside and away from all calcifications, at most twice `AT_MOST`.

    Returns their places, (n, 2), and which of them are a random draw, (n,) bool.
    """
    size = [max(3, round(MAXIMUM_MM / step)) for step in spacing_mm]
    high = (height == maximum_filter(height, size)) & (height >= STANDS_OUT_FROM) & inside
    if known.any():
        high &= distance_transform_edt(~known, sampling=spacing_mm) >= APART_MM
    # A saturated area is one maximum, not as many as it has pixels.
    numbers, _ = label(high, np.ones((3, 3)))
    _, first = np.unique(numbers[high], return_index=True)
    places = np.argwhere(high)[first]
    order = np.argsort(-height[tuple(places.T)], kind="stable")
    chosen = np.random.default_rng(0).permutation(len(places))[:AT_MOST]
    kept = np.union1d(order[:AT_MOST], chosen)
    return places[kept], np.isin(kept, chosen)


def _statistics(pixels, deviation, place, spacing_mm) -> tuple[float, float, float, float]:
    """The statistics of one place, from a window of 0.9 mm around it."""
    starts = [max(0, at - round(_REACH_MM / mm)) for at, mm in zip(place, spacing_mm, strict=True)]
    stops = [at + round(_REACH_MM / mm) + 1 for at, mm in zip(place, spacing_mm, strict=True)]
    window = pixels[starts[0] : stops[0], starts[1] : stops[1]].astype(np.float64)
    centre = tuple(at - start for at, start in zip(place, starts, strict=True))
    rows, cols = (np.arange(n) - at for n, at in zip(window.shape, centre, strict=True))
    distance_mm = np.hypot(rows[:, None] * spacing_mm[0], cols[None] * spacing_mm[1])
    peak = window[centre]
    background = np.median(window[(distance_mm >= _RING_FROM_MM) & (distance_mm <= _REACH_MM)])
    height = peak - background
    parts, _ = label(window >= background + height / 2)
    area_mm2 = (parts == parts[centre]).sum() * spacing_mm[0] * spacing_mm[1]
    slope = np.hypot(*np.gradient(window, *spacing_mm))[distance_mm <= _EDGE_WITHIN_MM].max()
    edge_mm = height / slope if slope > 0 else 0.0
    contrast = height / deviation[tuple(place)]
    return float(peak), float(contrast), float(edge_mm), float(2 * np.sqrt(area_mm2 / np.pi))
