"""Where an MC ends: which pixels of a candidate are drawn, by probability and by image.

The segmentator answers to what it sees of an MC, and blur makes a small one look larger: by
its probability alone half of all MCs are drawn at up to twice their area. The image says
more, once it is known that there is an MC: how far a pixel reaches towards the highest one.

Not part of the published method. The weights are learnt with the model and lie in its
manifest; the terms here are our own choice (see Resources/ModelCards/rounds.md).
"""

from dataclasses import dataclass

import numpy as np

HALF = 0.5  # of the highest probability near by: blur leaves an edge at half its height
LOWEST_TOP = 0.3  # local deviations; what hardly rises above its surroundings has no shape
TERMS, COURSES = 5, 3


@dataclass(frozen=True)
class Shapes:
    """What is known of n candidates with p pixels in all, in one order.

    numbers: (p,) int, whose pixel it is, from 0. share: (p,) the segmentator's probability
    over the highest near by. rise: (p,) the image over the candidate's highest, both in local
    deviations. terms: (n, 5) 1, log of the pixels, log of those of half the rise, logit of
    the highest probability, log of the highest in the image.
    """

    numbers: np.ndarray
    share: np.ndarray
    rise: np.ndarray
    terms: np.ndarray

    @property
    def courses(self) -> np.ndarray:
        """(p, 3) what a pixel is judged by: 1, its share, its rise."""
        return np.stack([np.ones(len(self.share)), self.share, self.rise], axis=1)


@dataclass(frozen=True)
class Outline:
    """A pixel is drawn where the sum of weight x term x course is above 0.

    weights: 5 lists of 3; `Shapes.terms` of its candidate, `Shapes.courses` of its own.
    """

    weights: tuple[tuple[float, ...], ...]

    def __post_init__(self):
        if np.shape(self.weights) != (TERMS, COURSES) or not np.isfinite(self.weights).all():
            raise ValueError(f"outline: its weights are not {TERMS} lists of {COURSES} numbers")

    def holds(self, shapes: Shapes) -> np.ndarray:
        """(p,) bool: which pixels are drawn."""
        of_candidates = shapes.terms @ np.array(self.weights)
        return (of_candidates[shapes.numbers] * shapes.courses).sum(axis=1) > 0


def shapes_of(
    numbers: np.ndarray, share: np.ndarray, values: np.ndarray, logits: np.ndarray
) -> Shapes:
    """Of pixels of candidates; values: (p,) the image, in deviations. logits: (n,) the highest."""
    count = len(logits)
    top = np.full(count, LOWEST_TOP)
    high = share >= HALF
    np.maximum.at(top, numbers[high], values[high])
    rise = values / top[numbers]
    areas = [np.bincount(some, minlength=count) for some in (numbers, numbers[rise >= HALF])]
    logs = [np.log(area + 0.5) for area in areas]
    terms = np.stack([np.ones(count), *logs, logits, np.log(top)], axis=1)
    return Shapes(numbers, share, rise, terms)
