"""What errors depend on: an MC's height and size, its distance from the patch's centre or edge."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt, label

from ..settings import METHOD_SPACING_MM
from ..training.minibatches import POSITIVE, SHARES, Minibatches
from ..training.samples.access import Samples
from ..training.samples.classes import C1, C2, C3, C4, CLASSES, MC
from ..training.scoring import class_samples, scores_of

KIND = "kind of image"
FROM_RIM = "pixels of the centre from the MC's rim, inwards"
TO_MC = "pixels of the centre from the MC, outwards"
FROM_EDGE = "pixels of the MC from the patch's edge"
HEIGHT = "the MC's peak, local deviations"
DIAMETER = "the MC's equivalent diameter, mm"
BRIGHTEST = "brightest pixel of the patch, local deviations"
# Where one group of patches ends and the next begins. Distances between pixels' centres: the
# rim's own pixels are 1 from the first pixel outside; sides touch at 1, corners at 1.41.
BOUNDS = {
    FROM_RIM: (1.0, 1.2, 2.2, 3.2, np.inf),
    TO_MC: (1.0, 1.2, 1.8, 2.5, 3.2),
    FROM_EDGE: (0.0, 1.0, 3.0, 6.0, 11.0, np.inf),
    HEIGHT: (-np.inf, 2.0, 3.0, 4.5, 7.0, np.inf),
    DIAMETER: (0.0, 0.15, 0.2, 0.3, 0.5, np.inf),
    BRIGHTEST: (-np.inf, 3.0, 4.0, 6.0, np.inf),
}
_AT_ONCE = 512


@dataclass(frozen=True)
class Condition:
    """The patches of a class for which a condition, one of the above, has a value; their errors.

    value: in words: a kind of image, or from where up to where.
    """

    sample_class: str
    name: str
    value: str
    patches: int
    wrong: int

    @property
    def error(self) -> float:
        return self.wrong / self.patches


def error_conditions(
    network, minibatches: Minibatches, samples: Samples, per_class: int
) -> list[Condition]:
    """Errors at 0.5 of up to `per_class` patches of each class, by each condition.

    minibatches: of a plan without augmentation, whose split and seed choose the patches; with
    those of an experiment they are the patches of its table.
    """
    plan, found = minibatches.plan, []
    which, side = plan.network, plan.architecture.patch_side
    kinds = {image.number: image.kind for image in samples.images((plan.split,))}
    for sample_class in (c for shares in SHARES[which] for c in shares):
        chosen = class_samples(minibatches, samples, sample_class, per_class)
        if sample_class not in (C1, C2, C3, C4) or not len(chosen):
            continue
        parts = [chosen[first : first + _AT_ONCE] for first in range(0, len(chosen), _AT_ONCE)]
        scores = np.concatenate([scores_of(network, minibatches.patches(part)) for part in parts])
        wrong = (scores >= 0.5) != (sample_class in POSITIVE[which])
        kind = np.array([kinds[number] for number in chosen[:, 0].tolist()])
        name = CLASSES[sample_class]
        found += [
            Condition(name, KIND, one, *_count(kind == one, wrong)) for one in np.unique(kind)
        ]
        measured = [_measured(samples, part, side) for part in parts]
        for what in measured[0]:
            values = np.concatenate([part[what] for part in measured])
            found += [Condition(name, what, *group) for group in _grouped(what, values, wrong)]
    return found


def write_conditions(conditions: list[Condition], path: Path) -> None:
    """A line for each condition of each class."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("class", "condition", "value", "patches", "wrong", "error"))
        for one in conditions:
            head = (one.sample_class, one.name, one.value, one.patches, one.wrong)
            writer.writerow((*head, f"{one.error:.4f}"))


def _grouped(name: str, values: np.ndarray, wrong: np.ndarray):
    for low, high in zip(BOUNDS[name], BOUNDS[name][1:], strict=False):
        own = (values >= low) & (values < high)
        if own.any():
            lower = "" if low == -np.inf else f"{low:g} "
            text = f"below {high:g}" if not lower else f"{lower}or more"
            yield (text if np.inf in (-low, high) else f"{lower}to {high:g}", *_count(own, wrong))


def _count(own: np.ndarray, wrong: np.ndarray) -> tuple[int, int]:
    return int(own.sum()), int((own & wrong).sum())


def _measured(samples: Samples, chosen: np.ndarray, side: int) -> dict[str, np.ndarray]:
    """Conditions of samples of one class, by name. Looks as far around a patch as it is wide.

    An MC that reaches farther is measured by the part within.
    """
    half, reach = side // 2, side
    values = samples.squares(chosen, 2 * reach + 1)
    if chosen[0, 3] == C4:
        own = slice(reach - half, reach + half + 1)
        return {BRIGHTEST: values[:, own, own].max(axis=(1, 2))}
    labels = samples.labels_near(chosen, reach)
    rows = [
        of_nearest(marked, square, half)
        for marked, square in zip(labels == MC, values, strict=True)
    ]
    inwards, outwards, from_edge, height, diameter = np.array(rows).T
    own = {C1: (FROM_RIM, inwards), C2: (TO_MC, outwards), C3: (FROM_EDGE, from_edge)}
    name, distance = own[int(chosen[0, 3])]
    return {name: distance, HEIGHT: height, DIAMETER: diameter}


def of_nearest(marked: np.ndarray, values: np.ndarray, half: int):
    """(inwards, outwards, from the edge, peak, diameter) of the MC nearest to the centre."""
    middle = len(marked) // 2
    inwards = distance_transform_edt(marked)[middle, middle] if marked[middle, middle] else 0.0
    places = np.argwhere(marked) - middle
    distances = np.hypot(*places.T)
    away = np.abs(places).max(axis=1)
    nearest = places[np.argmin(distances)] + middle
    numbers, _ = label(marked, np.ones((3, 3)))
    own = numbers == numbers[tuple(nearest)]
    diameter = 2 * METHOD_SPACING_MM * np.sqrt(own.sum() / np.pi)
    return inwards, distances.min(), half - away.min(), values[own].max(), diameter
