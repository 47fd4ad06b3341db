"""How likely a candidate is an MC, given the candidates around it.

MCs come in groups; noise, dust and crossing strands lie about everywhere. A candidate in
company that its surroundings lack is therefore more likely an MC than the segmentator can
know, which sees 2.4 mm: many candidates near speak for it, many far and wide against it.
Where the whole breast is full of them, they are what a unit's noise or strands look like to
networks that have not seen such: all of them are then less likely MCs, whatever their company.

Not part of the published method. The weights are learnt with the model and lie in its
manifest; the distances here are our own choice (see Resources/ModelCards/rounds.md).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter

from .calcifications import (
    centroids,
    connected,
    find_boxes,
    label_calcifications,
    places_of,
)
from .outlines import HALF, Outline, Shapes, shapes_of
from .settings import METHOD_SPACING_MM, Settings

FLOOR = 0.03  # the segmentator's probability; below, a pixel belongs to no candidate
OUTLINE = 0.2  # of the highest probability near by: where a candidate ends
OUTLINE_PX = 13  # near by: 0.3 mm to each side
NEAR_MM, FAR_MM = 2.5, 10.0  # standard deviations of the two neighbourhoods
CELL_PX = 10  # neighbours are counted on a grid of 0.5 mm
# How many doubtful candidates an image has: around the place that a quarter of the breast has
# fewer around, for MCs and arteries may fill much of a small piece.
DOUBTFUL_MM, DOUBTFUL_QUANTILE = 5.0, 0.25
WHOLE_CM2 = 50.0  # of breast; a smaller piece says less of how many there are throughout
FEW = 0.3  # expected MCs; from about so many on, a neighbourhood counts by its logarithm


@dataclass(frozen=True)
class Around:
    """Where candidates lie, and where breast is.

    cells: row and column, each (n,) int, of n candidates on a grid of 0.5 mm.
    breast: (rows, cols) how much of each cell of that grid is breast, 0 to 1.
    """

    cells: tuple[np.ndarray, np.ndarray]
    breast: np.ndarray

    @property
    def breast_cm2(self) -> float:
        """Area of the breast."""
        return float(self.breast.sum()) * (CELL_PX * METHOD_SPACING_MM / 10) ** 2

    def others(self, chances: np.ndarray, sigma_mm: float) -> np.ndarray:
        """(n,) expected MCs around each candidate but itself, as if breast were all around."""
        sums = self._summed(chances, sigma_mm)[self.cells]
        return np.maximum(sums - chances, 0) / self._share(sigma_mm)[self.cells]

    def doubtful(self, chances: np.ndarray) -> float:
        """n(breast), as `Neighbourhood` explains, by these (n,) probabilities."""
        around = self.expected(chances * (1 - chances), DOUBTFUL_MM)[self.breast > 0]
        expected = np.quantile(around, DOUBTFUL_QUANTILE)
        return float(np.log1p(expected / (FEW * (DOUBTFUL_MM / FAR_MM) ** 2)))

    def expected(self, chances: np.ndarray, sigma_mm: float) -> np.ndarray:
        """(rows, cols) expected MCs around each cell, as if breast were all around."""
        return self._summed(chances, sigma_mm) / self._share(sigma_mm)

    def _summed(self, chances: np.ndarray, sigma_mm: float) -> np.ndarray:
        sigma = sigma_mm / METHOD_SPACING_MM / CELL_PX
        grid = np.zeros(self.breast.shape)
        np.add.at(grid, self.cells, chances)
        # Of height 1, so that a neighbour in the same place counts whole and the own one goes.
        alone = np.zeros(2 * int(4 * sigma) + 3)
        alone[len(alone) // 2] = 1
        height = gaussian_filter(alone, sigma, mode="constant").max() ** 2
        return gaussian_filter(grid, sigma, mode="constant") / height

    def _share(self, sigma_mm: float) -> np.ndarray:
        sigma = sigma_mm / METHOD_SPACING_MM / CELL_PX
        return np.maximum(gaussian_filter(self.breast, sigma, mode="constant"), 0.1)


@dataclass(frozen=True)
class Neighbourhood:
    """logit = first + everywhere x known x max(0, n(breast) - usual),
    first = slope x own + near x n(2.5 mm) + far x n(10 mm) + shift.

    own: logit of the segmentator's highest probability in the candidate. n(s): log(1 + e /
    0.3), e being the expected number of MCs among the other candidates (the sum of their
    probabilities), each weighted by a Gaussian of its distance with standard deviation s.
    n(breast): how many are doubtful all over the breast, p (1 - p) of each being counted by the
    probability p of `first`; `usual` where the weights were learnt. known: 1 for 50 cm2 of breast
    or more, in proportion for less.
    """

    slope: float
    near: float
    far: float
    shift: float
    everywhere: float = 0.0
    usual: float = 0.0

    def weigh(self, evidence: np.ndarray, around: Around) -> tuple[np.ndarray, float]:
        """(n,) the probability of each candidate, and what the odds of all were divided by.

        evidence: as in `Candidates`.
        """
        first = evidence @ np.array([self.slope, self.near, self.far]) + self.shift
        if not self.everywhere:
            return _chances(first), 1.0
        known = min(1.0, around.breast_cm2 / WHOLE_CM2)
        # Fewer of them raise nothing: dust and arteries are not doubtful, and mar clear images too.
        unusual = max(0.0, around.doubtful(_chances(first)) - self.usual)
        shift = self.everywhere * known * unusual
        return _chances(first + shift), float(np.exp(-shift))


@dataclass(frozen=True)
class Candidates:
    """Connected regions that may be MCs, on the method's grid of 0.05 mm.

    labels: (rows, cols) int32, numbered from 1. heights: (rows, cols) float32, the segmentator's
    probability; highest: the highest near by. evidence: (n, 3) float64, each region's own logit,
    n(2.5 mm) and n(10 mm), as `Neighbourhood` explains. around: where
    they lie and where breast is.
    """

    labels: np.ndarray
    heights: np.ndarray
    highest: np.ndarray
    evidence: np.ndarray
    around: Around

    @cached_property
    def places(self) -> np.ndarray:
        """(p,) flat indices of all their pixels, sorted."""
        return places_of(self.labels)

    def shapes(self, values: np.ndarray) -> Shapes:
        """What tells where they end, of the pixels in `places`.

        values: (rows, cols) the image, in deviations of its local texture.
        """
        numbers, heights, highest, values = (
            array.ravel()[self.places]
            for array in (self.labels, self.heights, self.highest, values)
        )
        return shapes_of(numbers - 1, heights / highest, values, self.evidence[:, 0])

    def drawn(self, values: np.ndarray, outline: Outline | None = None) -> np.ndarray:
        """(rows, cols) int32: what is drawn of each candidate, by number.

        Without an outline what has half of its probability; that too where the outline leaves
        pieces, which would count as several MCs, or so little that it could be lost on an image
        of coarser pixels; and all of it where half leaves such.
        """
        shapes = self.shapes(values)
        kept = self._mended(shapes.numbers, shapes.share >= HALF, True)
        if outline is not None:
            kept = self._mended(shapes.numbers, outline.holds(shapes), kept)
        drawn = np.zeros_like(self.labels)
        drawn.ravel()[self.places[kept]] = shapes.numbers[kept] + 1
        return drawn

    def _mended(self, numbers: np.ndarray, within: np.ndarray, otherwise) -> np.ndarray:
        """(p,) bool: within, but otherwise for candidates of which that is in pieces or little."""
        parts, many = connected(self.places[within], self.labels.shape[1])
        owners = np.zeros(many, int)
        owners[parts] = numbers[within]
        count = len(self.evidence)
        pieces = np.bincount(owners, minlength=count)
        area_mm2 = np.bincount(numbers[within], minlength=count) * METHOD_SPACING_MM**2
        broken = (pieces > 1) | (area_mm2 < 2 * Settings().min_mc_area_mm2)
        return np.where(broken[numbers], otherwise, within)


class Reconsidered(NamedTuple):
    """probability: (rows, cols) float32, the same all over what is drawn of a candidate, and 0
    outside. odds_divisor: by what the odds of all were divided, for so many were doubtful.
    """

    probability: np.ndarray
    odds_divisor: float


def reconsider(
    probability: np.ndarray,
    values: np.ndarray,
    inside: np.ndarray,
    neighbourhood: Neighbourhood,
    outline: Outline | None = None,
) -> Reconsidered:
    """Each candidate's probability in the light of its neighbours.

    probability: the segmentator's, (rows, cols) float32 on the method's grid. values: the
    image there, in local deviations. inside: bool, the breast.
    """
    found = find_candidates(probability, inside)
    drawn = found.drawn(values, outline)
    result = np.zeros(probability.shape, np.float32)
    places = places_of(drawn)
    chances, odds_divisor = neighbourhood.weigh(found.evidence, found.around)
    result.ravel()[places] = chances[drawn.ravel()[places] - 1]
    return Reconsidered(result, odds_divisor)


def find_candidates(probability: np.ndarray, inside: np.ndarray) -> Candidates:
    """The candidates and what speaks for them; arguments as of `reconsider`."""
    spacing = (METHOD_SPACING_MM, METHOD_SPACING_MM)
    outlined, highest = _outlined(probability)
    labels = label_calcifications(outlined, spacing, Settings().min_mc_area_mm2)
    places = places_of(labels)
    numbers = labels.ravel()[places] - 1
    count = int(numbers.max(initial=-1)) + 1
    peaks = np.zeros(count)
    np.maximum.at(peaks, numbers, probability.ravel()[places])
    cells = tuple((centroids(labels).T / CELL_PX).astype(int))
    around = Around(cells, _share_of_cells(inside))
    counts = [np.log1p(around.others(peaks, mm) / FEW) for mm in (NEAR_MM, FAR_MM)]
    evidence = np.stack([_logit(peaks), *counts], axis=1)
    return Candidates(labels, probability, highest, evidence, around)


def _outlined(probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows, cols) bool: pixels of at least `FLOOR` that no higher one near by outshines.

    And (rows, cols) float32, the highest near each, 0 below the floor. Near by is within the
    same region above the floor: MCs have no part in one another.
    """
    mask = probability >= FLOOR
    heights = np.zeros(probability.shape, np.float32)
    regions = label_calcifications(mask, (1.0, 1.0), 0.0)
    for number, box in enumerate(find_boxes(regions), 1):
        own = regions[box] == number
        values = np.where(own, probability[box], 0)
        if max(own.shape) * 2 > OUTLINE_PX:
            highest = maximum_filter(values, OUTLINE_PX, mode="constant")
        else:
            highest = values.max()
        mask[box] &= ~own | (values >= OUTLINE * highest)
        np.copyto(heights[box], highest, where=own)
    return mask, heights


def _share_of_cells(inside: np.ndarray) -> np.ndarray:
    """How much of each cell of the coarse grid is breast, 0 to 1."""
    rows, cols = (-(-size // CELL_PX) for size in inside.shape)
    whole = np.pad(inside, [(0, -size % CELL_PX) for size in inside.shape])
    # Rows first, a whole line at a time.
    lines = whole.reshape(rows, CELL_PX, -1).sum(axis=1, dtype=np.uint8)
    return lines.reshape(rows, cols, CELL_PX).sum(axis=2) / CELL_PX**2


def _chances(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -50, 50)))


def _logit(chances: np.ndarray) -> np.ndarray:
    chances = np.clip(chances, 1e-6, 1 - 1e-6)
    return np.log(chances) - np.log1p(-chances)
