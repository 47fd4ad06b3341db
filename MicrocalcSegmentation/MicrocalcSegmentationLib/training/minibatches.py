"""Minibatches drawn at random: as many positives as negatives, classes in stated shares."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError
from ..networks import Architecture
from .augmentation import (
    Augmentation,
    Orientations,
    draw_orientations,
    reach_of,
    shown_by_turned,
    turned,
    varied,
)
from .datasets.annotated import MC_LEVEL
from .datasets.cbis_ddsm import WHY_NOT_SEGMENTATOR
from .samples.access import Drawable, Samples, Selection
from .samples.classes import C1, C2, C3, C4, IN_REGION, MC, REGION, UNCERTAIN

POSITIVE = {"detector": (C1, C2, C3, IN_REGION), "segmentator": (C1,)}
# Shares inside the positives and inside the negatives. Our declared choice: the paper says
# that each class is represented, not how much. A class that no image has gives its share to
# the others of its label.
SHARES = {
    "detector": ({C1: 0.3, C2: 0.3, C3: 0.4, IN_REGION: 0.3}, {C4: 1.0}),
    "segmentator": ({C1: 1.0}, {C2: 0.3, C3: 0.3, C4: 0.4}),
}
MINED_SHARE = 0.25  # of the positives, and of the negatives, where mining has found any


@dataclass(frozen=True)
class Plan:
    """What minibatches are made of.

    network: "detector" or "segmentator". split: of the images. size: patches in one, even.
    augmentation: None leaves patches as they are in the image.
    mined: share of the positives, and of the negatives, that mining found, where it found any.
    """

    network: str
    architecture: Architecture
    split: str = "train"
    size: int = 256  # Valvano et al. 2019
    seed: int = 0
    augmentation: Augmentation | None = field(default_factory=Augmentation)
    mined: float = MINED_SHARE


@dataclass(frozen=True)
class Minibatch:
    """patches: (B, S, S, 1) float32. targets: (B, 1, 1, 2) float32, one-hot.

    samples: (B, 4) int64 of image, row, col, class.
    """

    patches: np.ndarray
    targets: np.ndarray
    samples: np.ndarray


class Minibatches:
    """The minibatches of a plan, by number: the same number gives the same one."""

    def __init__(self, samples: Samples, plan: Plan):
        """Raises InputError when the database has no sample of one of the two labels."""
        self._samples, self.plan = samples, plan
        self._drawables = {
            c: samples.select(self._selection(c)) for shares in SHARES[plan.network] for c in shares
        }
        self._shares = tuple(
            self._present(shares, label)
            for shares, label in zip(SHARES[plan.network], ("positive", "negative"), strict=True)
        )
        mined = samples.mined(plan.network, plan.architecture.patch_side, plan.split)
        hard = np.isin(mined[:, 3], POSITIVE[plan.network])
        self._mined = (mined[hard], mined[~hard])
        self._half = max(plan.architecture.margin + plan.architecture.patch_side // 2, 0)

    def batch(self, number: int) -> Minibatch:
        """The minibatch of that number, from 0."""
        rng = np.random.default_rng([self.plan.seed, number])
        chosen = self._draw(rng)
        chosen = chosen[rng.permutation(len(chosen))]
        patches = self.patches(chosen, rng)
        positive = np.isin(chosen[:, 3], POSITIVE[self.plan.network])
        targets = np.stack([~positive, positive], axis=1).astype(np.float32)[:, None, None]
        return Minibatch(patches, targets, chosen)

    def patches(self, chosen: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """(B, S, S, 1) float32 of samples, (B, 4); varied when there is an rng and a way to."""
        architecture, augmentation = self.plan.architecture, self.plan.augmentation
        if rng is None or augmentation is None:
            squares = self._samples.squares(chosen, 2 * self._half + 1)
        else:
            orientations = self._kept_classes(
                chosen, draw_orientations(rng, len(chosen), augmentation)
            )

            def cut(members: np.ndarray, reach: int) -> np.ndarray:
                return self._samples.squares(chosen[members], 2 * reach + 1)

            squares = varied(turned(cut, self._half, orientations), rng, augmentation)
        # An even square of `context` lacks its last row and column.
        return squares[:, : architecture.input_side, : architecture.input_side, None]

    def _selection(self, sample_class: int) -> Selection:
        levels = (MC_LEVEL,) if self.plan.network == "segmentator" else None
        side = self.plan.architecture.patch_side
        return Selection(side, (sample_class,), (self.plan.split,), levels=levels)

    def _present(self, shares: dict[int, float], label: str) -> dict[int, float]:
        present = {c: share for c, share in shares.items() if self._drawables[c].count}
        if not present:
            plan = self.plan
            reason = ""
            levels = {image.level for image in self._samples.images((plan.split,))}
            if plan.network == "segmentator" and levels and MC_LEVEL not in levels:
                reason = f" ({WHY_NOT_SEGMENTATOR})"
            raise InputError(
                f"{self._samples.path.name}: no {label} sample for the {plan.network} in the split "
                f"{plan.split}{reason}; build it from more images"
            )
        total = sum(present.values())
        return {c: share / total for c, share in present.items()}

    def _draw(self, rng: np.random.Generator) -> np.ndarray:
        half, parts = self.plan.size // 2, []
        for shares, mined in zip(self._shares, self._mined, strict=True):
            hard = round(self.plan.mined * half) if len(mined) else 0
            if hard:
                parts.append(mined[rng.integers(len(mined), size=hard)])
            bounds = np.round(np.cumsum([0.0, *shares.values()]) * (half - hard)).astype(int)
            for sample_class, number in zip(shares, np.diff(bounds), strict=True):
                parts.append(self._drawables[sample_class].draw(rng, int(number)))
        return np.concatenate(parts)

    def _kept_classes(self, chosen: np.ndarray, orientations: Orientations) -> Orientations:
        """Quarter turns alone where a turn would bring an MC into a C4 patch, or out of a C3.

        A turned square covers other pixels than the patch whose class is known. What may be MC
        has no place in a C4 patch, either.
        """
        half = self.plan.architecture.patch_side // 2
        kept = orientations.degrees.copy()
        for degrees in np.unique(kept[kept > 0]).tolist():
            reach = reach_of(half, degrees)
            alike = orientations.degrees == degrees
            members = np.flatnonzero(alike & (chosen[:, 3] == C3))
            marked = self._samples.labels_near(chosen[members], reach) == MC
            marked &= shown_by_turned(reach, half, degrees)
            kept[members[~marked.any(axis=(1, 2))]] = 0
            members = np.flatnonzero(alike & (chosen[:, 3] == C4))
            labels = self._samples.labels_near(chosen[members], reach)
            marked = (labels == MC) | (labels == UNCERTAIN) | (labels == REGION)
            # Between half and half + 1, interpolation shows a part of the MC.
            marked &= shown_by_turned(reach, half + 1, degrees)
            kept[members[marked.any(axis=(1, 2))]] = 0
        return Orientations(kept, orientations.quarters, orientations.flipped)


def fixed_samples(drawable: Drawable, count: int, seed: int) -> np.ndarray:
    """(n, 4): up to `count` different samples, the same for the same seed."""
    rng = np.random.default_rng(seed)
    numbers = rng.choice(drawable.count, min(count, drawable.count), replace=False, shuffle=False)
    return drawable.at(np.sort(numbers))


class Ahead:
    """Makes the next minibatch while the last one is learnt from.

    Use it in a `with`; ask for numbers in rising order.
    """

    def __init__(self, minibatches: Minibatches, first: int):
        self._make = minibatches.batch
        self._pool = ThreadPoolExecutor(1, "minibatches")
        self._number = first
        self._next = self._pool.submit(self._make, first)

    def __enter__(self) -> "Ahead":
        return self

    def __exit__(self, *error) -> None:
        self._pool.shutdown(cancel_futures=True)

    def take(self) -> Minibatch:
        """The next one."""
        ready = self._next.result()
        self._number += 1
        self._next = self._pool.submit(self._make, self._number)
        return ready
