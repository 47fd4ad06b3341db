"""What real mammograms measured, as ranges to hold simulated ones against.

All numbers are measurements of this project on real images, by the definitions of
`spectrum` and `specks`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, norm

from .spectrum import FREQUENCIES

KINDS = ("digital", "film")
_DIGITAL = "measured by this project on 5 digital mammograms for presentation, 0.07 mm"
_FILM = "measured by this project on 8 films of CBIS-DDSM, taken as 0.05 mm"
_MARKED = (
    "measured by this project on 42 MCs that an independent network marks on digital mammograms"
)
_CLUSTERS = "measured by this project on 11 clusters (digital, 0.07 mm) outlined by their authors"
_CLUSTERED = 11  # the MCs of a cluster are alike, so clusters count, not MCs


@dataclass(frozen=True)
class Range:
    """What a statistic may be: from low to high. source: where that was measured."""

    low: float
    high: float
    source: str


def _spectrum(beta, tail, powers, source: str) -> dict[str, Range]:
    rows = {"exponent beta, 0.15 to 1 /mm": beta, "slope above 2 /mm": tail}
    rows |= {
        f"relative power at {frequency:g} /mm": power
        for frequency, power in zip(FREQUENCIES[1:], powers, strict=True)
    }
    return {name: Range(*limits, source) for name, limits in rows.items()}


# The films' powers are the range of the eight together with an earlier measurement's centre.
SPECTRUM = {
    "digital": _spectrum(
        (2.61, 2.86),
        (1.16, 1.51),
        ((0.08, 0.13), (0.0035, 0.004), (1.5e-4, 2.6e-4), (0.6e-4, 1.1e-4)),
        _DIGITAL,
    ),
    "film": _spectrum(
        (2.88, 3.29),
        (1.62, 2.10),
        ((0.011, 0.026), (3e-4, 9.3e-4), (2.8e-5, 7.4e-5), (1.1e-5, 3.0e-5)),
        _FILM,
    ),
}


@dataclass(frozen=True)
class Percentiles:
    """A measured distribution. values: percentile -> value. count: of what was measured.
    kinds: of image that it can be held against; grey values of film are on another scale.
    """

    label: str
    values: dict[int, float]
    count: int
    source: str
    kinds: tuple[str, ...] = KINDS

    def range_at(self, percentile: int) -> Range:
        """Where the percentile of all such MCs lies, at 95 %, from so few.

        The order statistics that enclose it (binomial), read off the measured percentiles:
        logarithms of values over normal quantiles, straight between two and beyond the last.
        """
        share = percentile / 100
        ranks = binom.ppf([0.025, 0.975], self.count, share)
        # Beyond the outermost of so few nothing was measured.
        edge = 0.5 / self.count
        low, high = np.clip(ranks / self.count, edge, 1 - edge)
        return Range(self._value_at(min(low, share)), self._value_at(max(high, share)), self.source)

    def _value_at(self, share: float) -> float:
        known = norm.ppf(np.array(list(self.values)) / 100)
        logs = np.log(list(self.values.values()))
        at = norm.ppf(share)
        piece = int(np.clip(np.searchsorted(known, at) - 1, 0, len(known) - 2))
        slope = (logs[piece + 1] - logs[piece]) / (known[piece + 1] - known[piece])
        return float(np.exp(logs[piece] + slope * (at - known[piece])))


def _five(*values: float) -> dict[int, float]:
    return dict(zip((5, 25, 50, 75, 95), values, strict=True))


def _three(*values: float) -> dict[int, float]:
    return dict(zip((5, 50, 95), values, strict=True))


# By the field of `Specks` that they are held against.
SPECKS = {
    "diameter_mm": Percentiles("MC diameter, mm", _five(0.16, 0.18, 0.24, 0.35, 0.88), 42, _MARKED),
    "contrast": Percentiles(
        "MC peak contrast over background",
        _five(0.12, 0.23, 0.47, 0.80, 2.8),
        42,
        _MARKED,
        ("digital",),
    ),
    "snr": Percentiles(
        "MC peak over fine texture's deviation", _five(0.7, 2.5, 3.4, 5.2, 12.6), 42, _MARKED
    ),
    "nearest_mm": Percentiles(
        "in clusters: nearest neighbour, mm", _three(0.44, 1.0, 2.5), _CLUSTERED, _CLUSTERS
    ),
    "relative_peak": Percentiles(
        "in clusters: peak over the strongest's",
        _three(0.31, 0.80, 1.0),
        _CLUSTERED,
        _CLUSTERS,
    ),
    "axis_ratio": Percentiles(
        "in clusters: minor over major axis", _three(0.50, 0.79, 0.96), _CLUSTERED, _CLUSTERS
    ),
    # Of eleven, the least and the most stand for 5 % and 95 %.
    "cluster_count": Percentiles("clusters: MCs", _three(7, 16, 42), 11, _CLUSTERS),
    "cluster_extent_mm": Percentiles(
        "clusters: largest extent, mm", {5: 6.5, 95: 12.3}, 11, _CLUSTERS
    ),
}
