"""Fitting one network on tiles of sheets.

A `valid` network slides over a tile and answers for every fourth pixel each way: one
pass gives as many patches as 289 single ones, for the work of forty.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import label, maximum_filter

from ..networks import Architecture, build, compiles
from ..progress import Progress
from .augmentation import Augmentation, as_of_other_units
from .sheets import BACKGROUND, IGNORED, MC, Sheet

TILE_PX = 112  # small, so that half of all tiles are filled by what lies around an MC
RIM_PX = 4  # of a window
RIM_REACH_PX, RIM_WEIGHT = 3, 0.25  # of an MC: how far, and a pixel's weight over the MC's
WHOLE_MC_PX = (6, 80)  # a smaller or larger MC counts as if it had so many pixels
AROUND_MC, HARD = 0.6, 0.25  # shares of tiles: around an MC; around what the network got wrong
# No sheet shows every unit's sharpness and noise: most tiles are given others.
UNITS = Augmentation(sharpened=0.5, softest=-0.9, sharpest=1.5, noisy=0.5, noise=1.0)
MINED_SHEETS, MINED_EACH = 120, 25


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn.

    The rate halves when the validation loss has not fallen for `patience` checks, and at
    each share of the steps in `halve_at`, so that a fixed budget ends settled. Training
    ends at `steps` or when the rate falls below `smallest_rate`; the weights of the best
    check are kept. At each share in `mine_at` the network looks at whole sheets, and a
    quarter of later tiles show what it took for MCs.
    """

    steps: int = 2000
    tiles_per_step: int = 48
    rate: float = 2e-3
    smallest_rate: float = 2e-5
    check_every: int = 200
    patience: int = 6
    halve_at: tuple[float, ...] = (0.4, 0.55, 0.7, 0.8, 0.88, 0.94)
    mine_at: tuple[float, ...] = (0.25, 0.5, 0.75)
    validation_steps: int = 24
    seed: int = 0


@dataclass(frozen=True)
class Target:
    """What a network should say at each pixel of a sheet, as centre of its patch.

    positive: bool. weight: float16, how much the pixel counts. scaled: bool, positives and
    what is to be told from them at their rims, whose weights are scaled together so that
    positives reach `POSITIVE_SHARE`. known: bool, False where it does not count.
    """

    positive: np.ndarray
    weight: np.ndarray
    scaled: np.ndarray
    known: np.ndarray


POSITIVE_SHARE = {
    "detector": 1.0,
    "segmentator": 0.5,
    "arteries": 1.0,
}  # positives' weight over negatives'


def detector_target(sheet: Sheet, side: int) -> Target:
    """Positive where any MC pixel lies in the patch (classes C1, C2 and C3).

    Patches with an MC in their outermost 4 pixels alone do not count: the network does
    not see the last 3, and windows that overlap by half show it whole in another one.
    """
    positive = maximum_filter(sheet.labels == MC, side)
    whole = maximum_filter(sheet.labels == MC, side - 2 * RIM_PX)
    ignored = maximum_filter(sheet.labels == IGNORED, side) & ~positive
    weight = np.ones(positive.shape, np.float16)
    return Target(positive, weight, positive, ~ignored & (whole | ~positive))


def segmentator_target(sheet: Sheet, side: int) -> Target:
    """Positive where the centre is MC (C1).

    Every MC counts alike, whatever its size, for its pixels share one weight: half of all
    MCs are under 0.25 mm, and by their pixels a single coarse one would outweigh dozens.
    Its rim (C2) goes with it: were its pixels scaled up alone, all that is near an MC would
    be likely MC, and a small one be drawn at twice its area.
    """
    positive = sheet.labels == MC
    regions, count = label(positive, np.ones((3, 3)))
    pixels = np.clip(np.bincount(regions.ravel(), minlength=count + 1), *WHOLE_MC_PX)
    share = np.where(positive, (WHOLE_MC_PX[0] / pixels)[regions], 0).astype(np.float32)
    around = maximum_filter(share, 2 * RIM_REACH_PX + 1)
    scaled = around > 0
    weight = np.where(positive, share, np.where(scaled, RIM_WEIGHT * around, 1))
    return Target(positive, weight.astype(np.float16), scaled, sheet.labels != IGNORED)


ON_ARTERY_PX, BESIDE_ARTERY_PX = 3, 15  # of 0.1 mm: to each side, on it; neither on it nor off it


def artery_target(sheet: Sheet, side: int) -> Target:
    """Positive where a calcified artery runs through the middle of the patch."""
    artery = sheet.labels == MC
    positive = maximum_filter(artery, 2 * ON_ARTERY_PX + 1)
    beside = maximum_filter(sheet.labels != BACKGROUND, 2 * BESIDE_ARTERY_PX + 1)
    return Target(positive, np.ones(artery.shape, np.float16), positive, positive | ~beside)


TARGETS: dict[str, Callable[[Sheet, int], Target]] = {
    "detector": detector_target,
    "segmentator": segmentator_target,
    "arteries": artery_target,
}


class Tiles:
    """Random tiles of sheets, turned and flipped, with targets on the network's lattice."""

    def __init__(self, sheets: list[Sheet], which: str, architecture: Architecture, seed: int):
        self._which = which
        self._side = architecture.patch_side
        self._stride = architecture.stride
        self._out = (TILE_PX - architecture.seen_side) // architecture.stride + 1
        self._rng = np.random.default_rng(seed)
        self._sheets = sheets
        self._places = [np.argwhere(sheet.labels == MC) for sheet in sheets]
        self._with_mcs = [number for number, places in enumerate(self._places) if len(places)]
        self._hard: list[tuple[int, int, int]] = []

    def batch(self, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """pixels (B, 112, 112, 1), one-hot targets (B, r, r, 2), weights (B, r, r)."""
        tiles = zip(*(self._one() for _ in range(count)), strict=True)
        pixels, positive, weight, scaled = (np.stack(part) for part in tiles)
        negatives = float(weight[~scaled].sum())
        share = POSITIVE_SHARE[self._which] * negatives / max(float(weight[positive].sum()), 1e-3)
        weight = np.where(scaled, weight * share, weight)
        weight *= weight.size / max(float(weight.sum()), 1e-6)
        targets = np.stack([~positive, positive], axis=-1).astype(np.float32)
        shown = as_of_other_units(pixels, self._rng, UNITS)
        return shown[..., None], targets, weight.astype(np.float32)

    def mine(self, logits: Callable[[np.ndarray], np.ndarray]) -> int:
        """Look at whole sheets for what the network takes for positive and is not.

        logits: (rows, cols) pixels -> (r, c), above 0 where positive. Returns how many
        places were found; they take the place of those found before.
        """
        self._hard = []
        chosen = self._rng.permutation(len(self._sheets))[:MINED_SHEETS]
        for number in chosen:
            sheet = self._sheets[number]
            found = logits(sheet.pixels.astype(np.float32))
            clear = maximum_filter(sheet.labels != BACKGROUND, self._side) | (sheet.pixels == 0)
            found = np.where(self._lattice(clear, found.shape), -np.inf, found)
            peak = (found == maximum_filter(found, 9)) & (found > 0)
            worst = np.argsort(-found[peak])[:MINED_EACH]
            places = np.argwhere(peak)[worst] * self._stride + self._side // 2
            self._hard.extend((int(number), int(row), int(col)) for row, col in places)
        return len(self._hard)

    def _one(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        number, row, col = self._corner()
        window = np.s_[row : row + TILE_PX, col : col + TILE_PX]
        turn, flip = self._rng.integers(4), self._rng.random() < 0.5

        def turned(values):
            values = np.rot90(values[window], turn)
            return values[::-1] if flip else values

        sheet = self._sheets[number]
        tile = Sheet(turned(sheet.pixels).astype(np.float32), turned(sheet.labels))
        target = TARGETS[self._which](tile, self._side)
        shape = (self._out, self._out)
        positive = self._lattice(target.positive, shape)
        weight = self._lattice(target.weight, shape).astype(np.float32)
        weight = weight * self._lattice(target.known, shape)
        return tile.pixels, positive, weight, self._lattice(target.scaled, shape)

    def _lattice(self, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        half = self._side // 2
        return values[half :: self._stride, half :: self._stride][: shape[0], : shape[1]]

    def _corner(self) -> tuple[int, int, int]:
        if self._hard and self._rng.random() < HARD:
            number, row, col = self._hard[self._rng.integers(len(self._hard))]
        elif self._with_mcs and self._rng.random() < AROUND_MC:
            number = self._with_mcs[self._rng.integers(len(self._with_mcs))]
            row, col = self._places[number][self._rng.integers(len(self._places[number]))]
        else:
            number = int(self._rng.integers(len(self._sheets)))
            row, col = self._rng.integers(0, self._sheets[number].labels.shape[0], 2)
        # Within what the lattice of answers covers.
        reach = self._out * self._stride // 2 - RIM_PX
        limit = self._sheets[number].labels.shape[0] - TILE_PX
        middle = np.array([row, col]) + self._rng.integers(-reach, reach, 2)
        corner = np.clip(middle - TILE_PX // 2, 0, limit)
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
    network.compile(optimizer=optimizer, loss="categorical_crossentropy", jit_compile=compiles())
    held = [tiles[1].batch(schedule.tiles_per_step) for _ in range(schedule.validation_steps)]
    checks, best, best_weights, waited = [], np.inf, network.get_weights(), 0
    running = []
    for step in range(1, schedule.steps + 1):
        pixels, targets, weights = tiles[0].batch(schedule.tiles_per_step)
        network.reset_metrics()  # else Keras reports the mean over all steps so far
        running.append(float(network.train_on_batch(pixels, targets, sample_weight=weights)))
        progress.report(step / schedule.steps, f"{which}: step {step}")
        if _reached(schedule.mine_at, step, step - 1, schedule.steps):
            tiles[0].mine(lambda values: _logits(network, values))
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
        last = step - schedule.check_every
        if waited >= schedule.patience or _reached(schedule.halve_at, step, last, schedule.steps):
            waited = 0
            optimizer.learning_rate = rate / 2
            if rate / 2 < schedule.smallest_rate:
                break
    network.set_weights(best_weights)
    return network, checks


def _reached(shares: tuple[float, ...], step: int, last: int, steps: int) -> bool:
    """True at the first of the steps asked about that is beyond a share of all."""
    return any(last < share * steps <= step for share in shares)


def _logits(network, values: np.ndarray) -> np.ndarray:
    chances = np.asarray(network.predict_on_batch(values[None, ..., None]))[0]
    with np.errstate(divide="ignore"):
        return np.log(chances[..., 1]) - np.log(chances[..., 0])


def _validation_loss(network, batches) -> float:
    losses = []
    for pixels, targets, weights in batches:
        network.reset_metrics()
        losses.append(float(network.test_on_batch(pixels, targets, sample_weight=weights)))
    return float(np.mean(losses))
