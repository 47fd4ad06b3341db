"""Hard samples: what a pair gets wrong on whole training images goes into the database.

Balanced patches are not what users see: a whole image holds thousands of negatives for each
positive, and the few kinds of place that fool a network are rare among patches drawn at
random. Later trainings draw a share of their negatives from the false positives found here,
and of their positives from the patches of MCs that the pair missed.
"""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import label, maximum_filter

from ..inference.windows import window_grid
from ..model import Model
from ..progress import Part, Progress
from .datasets.annotated import MC_LEVEL
from .minibatches import POSITIVE, Minibatches, Plan
from .samples import schema
from .samples.access import Samples, StoredImage
from .samples.classes import MC, class_map
from .samples.writing import LABELS
from .scoring import scores_of

_AT_ONCE = 2048
_ROW = "INSERT OR REPLACE INTO mined VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class _Seen:
    """Patches of an image. places: centres, (n, 2). missed: whether each shows a missed MC."""

    labels: np.ndarray
    places: np.ndarray
    scores: np.ndarray
    missed: np.ndarray


@dataclass(frozen=True)
class MiningOptions:
    """per_image: of each network, the most wrong negatives, and as many positives at most.
    every: the segmentator is asked at each so many-th row and column of the candidates, and
    on every MC; a false mark is wider than two pixels.
    """

    per_image: int = 500
    every: int = 2


def mine(
    model: Model, database: Path, options: MiningOptions, progress: Progress
) -> dict[str, int]:
    """Run the pair over every training image; store its false positives and the MCs it missed.

    False are negatives (C2 to C4) at or above the model's own threshold, or 0.5 where that is
    lower. A network missed an MC that it was asked about and found nowhere; for the detector,
    the windows that show the MC are stored, for the segmentator, the MC's pixels.
    All of it is stored at the end or, after an interruption, nothing: what was mined before
    stays. A second call with the same model replaces its first one's.
    Returns network -> how many false positives were found.
    Raises InputError when the database lacks the model's patch sides.
    """
    rows: list[tuple] = []
    false = dict.fromkeys(model.architectures, 0)
    with closing(Samples(database)) as samples:
        images = samples.images(("train",))
        batches = {
            which: Minibatches(samples, Plan(which, shape, augmentation=None))
            for which, shape in model.architectures.items()
        }
        for done, image in enumerate(images):
            part = Part(progress, done / len(images), (done + 1) / len(images))
            part.report(0, f"{image.name} ({done + 1} of {len(images)})")
            wrong = _wrong_on(image, model, batches, samples, (options, part))
            for which, (positions, scores) in wrong.items():
                side = model.architectures[which].patch_side
                places = zip(positions.tolist(), scores.tolist(), strict=True)
                rows += [(which, side, *position, score) for position, score in places]
                false[which] += int((~np.isin(positions[:, 3], POSITIVE[which])).sum())
    _store(database, rows, f"{model.name} {model.version}")
    progress.report(1, "mined")
    return false


def _store(database: Path, rows: list[tuple], made_by: str) -> None:
    with closing(schema.connect(database, read_only=False)) as connection, connection:
        number = _round(connection, made_by)
        connection.executemany(_ROW, [(*row, made_by, number) for row in rows])


def _round(connection, made_by: str) -> int:
    """This model's number, from 1; what it found in an earlier call is taken out."""
    known = connection.execute("SELECT round FROM mined WHERE model = ?", (made_by,)).fetchone()
    connection.execute("DELETE FROM mined WHERE model = ?", (made_by,))
    (last,) = connection.execute("SELECT COALESCE(MAX(round), 0) FROM mined").fetchone()
    return known[0] if known else last + 1


def _wrong_on(
    image: StoredImage, model: Model, batches: dict[str, Minibatches], samples: Samples, how
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Network -> what it got wrong, (n, 4) of image, row, col, class, and their scores."""
    options, progress = how
    labels = np.array(samples.array(image.number, LABELS))
    side = model.architectures["detector"].patch_side
    inside = samples.is_breast(image.number)
    starts = window_grid(inside, side)
    centres = starts + side // 2
    scores = _scores(model.detector, batches["detector"], image, centres, progress)
    candidates = np.zeros(labels.shape, bool)
    for row, col in starts[scores >= model.detector_threshold]:
        candidates[row : row + side, col : col + side] = True
    mcs, _ = label(labels == MC, np.ones((3, 3)))
    missed = maximum_filter(_without_mark(mcs, mcs[candidates])[mcs], side)
    seen = _Seen(labels, centres, scores, missed[tuple(centres.T)])
    wrong = {"detector": _chosen(image, model, "detector", seen, options)}
    if image.level == MC_LEVEL:
        asked = mcs > 0
        asked[:: options.every, :: options.every] = True
        places = np.argwhere(asked & candidates & inside)
        scores = _scores(model.segmentator, batches["segmentator"], image, places, progress)
        of_mc = mcs[tuple(places.T)]
        missed = _without_mark(mcs, of_mc[scores >= model.threshold])
        seen = _Seen(labels, places, scores, missed[of_mc])
        wrong["segmentator"] = _chosen(image, model, "segmentator", seen, options)
    return wrong


def _without_mark(mcs: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """By an MC's number, from 1: whether it is not among the numbers of the marked ones."""
    missed = np.ones(mcs.max() + 1, bool)
    missed[0] = False
    missed[marked] = False
    return missed


def _scores(network, minibatches: Minibatches, image: StoredImage, places, progress) -> np.ndarray:
    """(n,) probability of the patches centred on places, (n, 2)."""
    parts = [np.empty(0, np.float32)]
    for first in range(0, len(places), _AT_ONCE):
        some = places[first : first + _AT_ONCE]
        positions = np.column_stack([np.full(len(some), image.number), some])
        parts.append(scores_of(network, minibatches.patches(positions)))
        progress.report(min(1, (first + len(some)) / len(places)), f"{image.name}: looking")
    return np.concatenate(parts)


def _chosen(
    image: StoredImage, model: Model, which: str, seen: _Seen, options: MiningOptions
) -> tuple[np.ndarray, np.ndarray]:
    """The false positives and what shows a missed MC, each the most wrong first."""
    own = model.threshold if which == "segmentator" else model.detector_threshold
    side = model.architectures[which].patch_side
    classes = class_map(seen.labels, side)[tuple(seen.places.T)]
    positive = np.isin(classes, POSITIVE[which])
    false = np.flatnonzero((classes > 0) & ~positive & (seen.scores >= min(own, 0.5)))
    missed = np.flatnonzero(positive & seen.missed)
    chosen = np.concatenate(
        [
            false[np.argsort(-seen.scores[false], kind="stable")][: options.per_image],
            missed[np.argsort(seen.scores[missed], kind="stable")][: options.per_image],
        ]
    )
    number = np.full(len(chosen), image.number)
    return np.column_stack([number, seen.places[chosen], classes[chosen]]), seen.scores[chosen]
