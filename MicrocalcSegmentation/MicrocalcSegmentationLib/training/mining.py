"""Hard negatives: what a pair gets wrong on whole training images goes into the database.

Balanced patches are not what users see: a whole image holds thousands of negatives for each
positive, and the few kinds of place that fool a network are rare among patches drawn at
random. Later trainings draw a share of their negatives from what is found here.
"""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..inference.windows import window_grid
from ..model import Model
from ..progress import Part, Progress
from .datasets.annotated import MC_LEVEL
from .minibatches import POSITIVE, Minibatches, Plan
from .samples import schema
from .samples.access import Samples, StoredImage
from .samples.classes import class_map
from .samples.writing import LABELS
from .scoring import scores_of

_AT_ONCE = 2048
_ROW = "INSERT OR REPLACE INTO mined VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class MiningOptions:
    """per_image: of each network, the most wrong ones. every: the segmentator is asked at
    each so many-th row and column of the candidates; a false mark is wider than two pixels.
    """

    per_image: int = 500
    every: int = 2


def mine(
    model: Model, database: Path, options: MiningOptions, progress: Progress
) -> dict[str, int]:
    """Run the pair over every training image and store its false positives.

    False are negatives (C2 to C4) at or above the model's own threshold, or 0.5 where that is
    lower. Returns network -> how many were found. A second call with the same model replaces
    its first one's.
    Raises InputError when the database lacks the model's patch sides.
    """
    samples = Samples(database)
    images = samples.images(("train",))
    batches = {
        which: Minibatches(samples, Plan(which, shape, augmentation=None))
        for which, shape in model.architectures.items()
    }
    made_by = f"{model.name} {model.version}"
    found = dict.fromkeys(batches, 0)
    with closing(samples), closing(schema.connect(database, read_only=False)) as connection:
        number = _round(connection, made_by)
        for done, image in enumerate(images):
            part = Part(progress, done / len(images), (done + 1) / len(images))
            part.report(0, f"{image.name} ({done + 1} of {len(images)})")
            wrong = _wrong_on(image, model, batches, samples, (options, part))
            with connection:
                for which, (positions, scores) in wrong.items():
                    side = model.architectures[which].patch_side
                    connection.executemany(
                        _ROW,
                        (
                            (which, side, *position, float(score), made_by, number)
                            for position, score in zip(positions.tolist(), scores, strict=True)
                        ),
                    )
                    found[which] += len(positions)
    progress.report(1, "mined")
    return found


def _round(connection, made_by: str) -> int:
    """This model's number, from 1; what it found in an earlier call is taken out."""
    with connection:
        known = connection.execute("SELECT round FROM mined WHERE model = ?", (made_by,)).fetchone()
        connection.execute("DELETE FROM mined WHERE model = ?", (made_by,))
        (last,) = connection.execute("SELECT COALESCE(MAX(round), 0) FROM mined").fetchone()
    return known[0] if known else last + 1


def _wrong_on(
    image: StoredImage, model: Model, batches: dict[str, Minibatches], samples: Samples, how
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Network -> its false positives, (n, 4) of image, row, col, class, and their scores."""
    options, progress = how
    labels = np.array(samples.array(image.number, LABELS))
    side = model.architectures["detector"].patch_side
    inside = samples.is_breast(image.number)
    starts = window_grid(inside, side)
    scores = _scores(model.detector, batches["detector"], image, starts + side // 2, progress)
    wrong = {"detector": _chosen(image, model, "detector", (labels, starts + side // 2, scores))}
    if image.level == MC_LEVEL:
        candidates = np.zeros(labels.shape, bool)
        for row, col in starts[scores >= model.detector_threshold]:
            candidates[row : row + side, col : col + side] = True
        every = options.every
        places = np.argwhere((candidates & inside)[::every, ::every]) * every
        scores = _scores(model.segmentator, batches["segmentator"], image, places, progress)
        wrong["segmentator"] = _chosen(image, model, "segmentator", (labels, places, scores))
    return {
        which: (positions[: options.per_image], values[: options.per_image])
        for which, (positions, values) in wrong.items()
    }


def _scores(network, minibatches: Minibatches, image: StoredImage, places, progress) -> np.ndarray:
    """(n,) probability of the patches centred on places, (n, 2)."""
    parts = [np.empty(0, np.float32)]
    for first in range(0, len(places), _AT_ONCE):
        some = places[first : first + _AT_ONCE]
        positions = np.column_stack([np.full(len(some), image.number), some])
        parts.append(scores_of(network, minibatches.patches(positions)))
        progress.report(min(1, (first + len(some)) / len(places)), f"{image.name}: looking")
    return np.concatenate(parts)


def _chosen(image: StoredImage, model: Model, which: str, seen) -> tuple[np.ndarray, np.ndarray]:
    """The false positives among places, the most wrong first."""
    labels, places, scores = seen
    own = model.threshold if which == "segmentator" else model.detector_threshold
    classes = class_map(labels, model.architectures[which].patch_side)[tuple(places.T)]
    negative = (classes > 0) & ~np.isin(classes, POSITIVE[which])
    wrong = np.flatnonzero(negative & (scores >= min(own, 0.5)))
    wrong = wrong[np.argsort(-scores[wrong], kind="stable")]
    number = np.full(len(wrong), image.number)
    return np.column_stack([number, places[wrong], classes[wrong]]), scores[wrong]
