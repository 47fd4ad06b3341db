"""Fitting one network on tiles of sheets.

A `valid` network slides over a tile and answers for every fourth pixel each way: one
pass gives as many patches as 1,681 single ones, for the work of sixty.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter

from ..networks import Architecture, build
from ..progress import Progress
from .sheets import IGNORED, MC, Sheet

TILE_PX = 208
RIM_PX = 4


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn.

    The rate halves when the validation loss has not fallen for `patience` checks, and at
    each share of the steps in `halve_at`, so that a fixed budget ends settled. Training
    ends at `steps` or when the rate falls below `smallest_rate`; the weights of the best
    check are kept.
    """

    steps: int = 2000
    tiles_per_step: int = 16
    rate: float = 2e-3
    smallest_rate: float = 5e-5
    check_every: int = 100
    patience: int = 3
    halve_at: tuple[float, ...] = (0.5, 0.65, 0.8, 0.9)
    validation_steps: int = 24
    seed: int = 0


@dataclass(frozen=True)
class Target:
    """What a network should say at each pixel of a sheet, as centre of its patch.

    positive: bool. weight: float16, how much the pixel counts as a negative; positives
    are weighted together, by `positive_share`. known: bool, False where it does not count.
    """

    positive: np.ndarray
    weight: np.ndarray
    known: np.ndarray


POSITIVE_SHARE = {"detector": 1.0, "segmentator": 0.4}  # positives' weight over negatives'


def detector_target(sheet: Sheet, side: int) -> Target:
    """Positive where any MC pixel lies in the patch (classes C1, C2 and C3).

    Patches with an MC in their outermost 4 pixels alone do not count: the network does
    not see the last 3, and windows that overlap by half show it whole in another one.
    """
    positive = maximum_filter(sheet.labels == MC, side)
    whole = maximum_filter(sheet.labels == MC, side - 2 * RIM_PX)
    ignored = maximum_filter(sheet.labels == IGNORED, side) & ~positive
    return Target(positive, np.ones(positive.shape, np.float16), ~ignored & (whole | ~positive))


def segmentator_target(sheet: Sheet, side: int) -> Target:
    """Positive where the centre is MC (C1); negatives near an MC (C2) and bright count most."""
    positive = sheet.labels == MC
    near = maximum_filter(positive, 7) & ~positive
    weight = np.full(positive.shape, 0.03, np.float16)
    weight[sheet.pixels > 2.5] = 0.5
    weight[near] = 0.2
    return Target(positive, weight, sheet.labels != IGNORED)


TARGETS: dict[str, Callable[[Sheet, int], Target]] = {
    "detector": detector_target,
    "segmentator": segmentator_target,
}


class Tiles:
    """Random tiles of sheets, turned and flipped, with targets on the network's lattice."""

    def __init__(self, sheets: list[Sheet], which: str, architecture: Architecture, seed: int):
        self._which = which
        self._half = architecture.patch_side // 2
        self._stride = architecture.stride
        self._out = (TILE_PX - architecture.seen_side) // architecture.stride + 1
        self._rng = np.random.default_rng(seed)
        self._sheets = sheets
        self._targets = [TARGETS[which](sheet, architecture.patch_side) for sheet in sheets]
        self._places = [np.argwhere(sheet.labels == MC) for sheet in sheets]
        self._hard: list[tuple[int, int, int]] = []

    def add_hard(self, places: list[tuple[int, int, int]]) -> None:
        """Draw a fifth of all tiles around these (sheet, row, col) from now on."""
        self._hard.extend(places)

    def batch(self, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """pixels (B, 208, 208, 1), one-hot targets (B, r, r, 2), weights (B, r, r)."""
        pixels, positive, weight = zip(*(self._one() for _ in range(count)), strict=True)
        positive, weight = np.stack(positive), np.stack(weight)
        negatives = float(weight[~positive].sum())
        share = POSITIVE_SHARE[self._which] * negatives / max(float(weight[positive].sum()), 1.0)
        weight = np.where(positive, weight * share, weight)
        weight *= weight.size / max(float(weight.sum()), 1e-6)
        targets = np.stack([~positive, positive], axis=-1).astype(np.float32)
        return np.stack(pixels)[..., None].astype(np.float32), targets, weight.astype(np.float32)

    def _one(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        number, row, col = self._corner()
        window = np.s_[row : row + TILE_PX, col : col + TILE_PX]
        target = self._targets[number]
        turn, flip = self._rng.integers(4), self._rng.random() < 0.5

        def turned(values):
            values = np.rot90(values[window], turn)
            return values[::-1] if flip else values

        lattice = np.s_[self._half :: self._stride, self._half :: self._stride]
        kept = np.s_[: self._out, : self._out]
        positive = turned(target.positive)[lattice][kept]
        weight = np.where(positive, 1, turned(target.weight)[lattice][kept].astype(np.float32))
        weight = weight * turned(target.known)[lattice][kept]
        gain = self._rng.uniform(0.8, 1.25)
        return turned(self._sheets[number].pixels).astype(np.float32) * gain, positive, weight

    def _corner(self) -> tuple[int, int, int]:
        number = int(self._rng.integers(len(self._sheets)))
        limit = self._sheets[number].labels.shape[0] - TILE_PX
        draw = self._rng.random()
        if self._hard and draw < 0.2:
            number, row, col = self._hard[self._rng.integers(len(self._hard))]
        elif draw < 0.75 and len(self._places[number]):
            row, col = self._places[number][self._rng.integers(len(self._places[number]))]
        else:
            return number, *(int(v) for v in self._rng.integers(0, limit + 1, 2))
        shift = self._rng.integers(-TILE_PX // 2 + 26, TILE_PX // 2 - 26, 2)
        corner = np.clip(np.array([row, col]) - TILE_PX // 2 + shift, 0, limit)
        return number, int(corner[0]), int(corner[1])


def fit(
    which: str,
    architecture: Architecture,
    tiles: tuple[Tiles, Tiles],
    schedule: Schedule,
    progress: Progress,
    start=None,
):
    """Train a network; returns it (sliding) and the list of its checks.

    tiles: for training and for validation. start: a sliding network to go on from.
    """
    import keras

    keras.utils.set_random_seed(schedule.seed)
    network = start or build(architecture, which, sliding=True)
    optimizer = keras.optimizers.Adam(schedule.rate)
    network.compile(optimizer=optimizer, loss="categorical_crossentropy", jit_compile=False)
    held = [tiles[1].batch(schedule.tiles_per_step) for _ in range(schedule.validation_steps)]
    checks, best, best_weights, waited = [], np.inf, network.get_weights(), 0
    running = []
    for step in range(1, schedule.steps + 1):
        pixels, targets, weights = tiles[0].batch(schedule.tiles_per_step)
        network.reset_metrics()  # else Keras reports the mean over all steps so far
        running.append(float(network.train_on_batch(pixels, targets, sample_weight=weights)))
        progress.report(step / schedule.steps, f"{which}: step {step}")
        if step % schedule.check_every and step != schedule.steps:
            continue
        loss = _validation_loss(network, held)
        rate = float(optimizer.learning_rate)
        checks.append(
            {"step": step, "loss": float(np.mean(running)), "validation": loss, "rate": rate}
        )
        running = []
        waited += 1
        if loss < best:
            best, best_weights, waited = loss, network.get_weights(), 0
        if waited >= schedule.patience or _settling(step, schedule):
            waited = 0
            optimizer.learning_rate = rate / 2
            if rate / 2 < schedule.smallest_rate:
                break
    network.set_weights(best_weights)
    return network, checks


def _settling(step: int, schedule: Schedule) -> bool:
    """True at the first check after each share of the steps at which the rate halves."""
    last = step - schedule.check_every
    return any(last < share * schedule.steps <= step for share in schedule.halve_at)


def _validation_loss(network, batches) -> float:
    losses = []
    for pixels, targets, weights in batches:
        network.reset_metrics()
        losses.append(float(network.test_on_batch(pixels, targets, sample_weight=weights)))
    return float(np.mean(losses))
