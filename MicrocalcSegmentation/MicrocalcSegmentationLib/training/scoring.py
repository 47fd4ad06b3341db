"""How a network does on patches of a split: loss, and the error of each class."""

import numpy as np

from .minibatches import POSITIVE, SHARES, Minibatch, Minibatches, fixed_samples
from .samples.access import Samples, Selection
from .samples.classes import CLASSES

_AT_ONCE = 512
_TINY = 1e-7


def scores_of(network, patches: np.ndarray) -> np.ndarray:
    """(n,) float32 probability of the positive class, for (n, S, S, 1) patches."""
    parts = [
        np.asarray(network.predict_on_batch(patches[first : first + _AT_ONCE]))[:, 0, 0, 1]
        for first in range(0, len(patches), _AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def check(network, held: list[Minibatch]) -> dict[str, float]:
    """Cross-entropy and accuracy on minibatches held back, and the error of each class."""
    scores = np.concatenate([scores_of(network, batch.patches) for batch in held])
    positive = np.concatenate([batch.targets[:, 0, 0, 1] > 0.5 for batch in held])
    classes = np.concatenate([batch.samples[:, 3] for batch in held])
    right = np.clip(np.where(positive, scores, 1 - scores), _TINY, 1)
    wrong = (scores >= 0.5) != positive
    figures = {"loss": float(-np.log(right).mean()), "accuracy": float(1 - wrong.mean())}
    for number, name in CLASSES.items():
        if (classes == number).any():
            figures[f"error {name}"] = float(wrong[classes == number].mean())
    return figures


def class_samples(
    minibatches: Minibatches, samples: Samples, sample_class: int, count: int
) -> np.ndarray:
    """(n, 4): up to so many different samples of a class and of the plan's split."""
    plan = minibatches.plan
    wanted = Selection(plan.architecture.patch_side, (sample_class,), (plan.split,))
    drawable = samples.select(wanted)
    if not drawable.count:
        return np.empty((0, 4), np.int64)
    return fixed_samples(drawable, count, plan.seed)


def class_scores(
    network, minibatches: Minibatches, samples: Samples, per_class: dict[int, int]
) -> dict[int, np.ndarray]:
    """Class -> probabilities of so many different samples of the plan's split."""
    scores = {}
    for sample_class, count in per_class.items():
        chosen = class_samples(minibatches, samples, sample_class, count)
        if not len(chosen):
            continue
        scores[sample_class] = np.concatenate(
            [
                scores_of(network, minibatches.patches(chosen[first : first + _AT_ONCE]))
                for first in range(0, len(chosen), _AT_ONCE)
            ]
        )
    return scores


def class_errors(which: str, scores: dict[int, np.ndarray]) -> dict[str, float]:
    """Class name -> share that is wrong at 0.5; and "accuracy", balanced, in stated shares."""
    errors = {
        c: float(((values >= 0.5) != (c in POSITIVE[which])).mean()) for c, values in scores.items()
    }
    halves = []
    for shares in SHARES[which]:
        present = {c: share for c, share in shares.items() if c in errors}
        total = sum(present.values())
        halves.append(sum(errors[c] * share for c, share in present.items()) / total)
    named = {CLASSES[c]: error for c, error in errors.items()}
    return {**named, "accuracy": 1 - sum(halves) / 2}
