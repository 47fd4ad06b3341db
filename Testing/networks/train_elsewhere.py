"""Trains a small pair with the Keras backend of this process, which dies on the way once.

Usage: KERAS_BACKEND=jax python Testing/networks/train_elsewhere.py samples.sqlite DIR
The first call kills itself while it trains the detector; the next one goes on, checks that its
weights are those of a training without the stop, trains the segmentator in bfloat16, and saves
the model as DIR/model and what its networks say of some patches as DIR/scores.npz.
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from MicrocalcSegmentationLib.model import NETWORKS, load_model
from MicrocalcSegmentationLib.networks import Architecture
from MicrocalcSegmentationLib.progress import Silent
from MicrocalcSegmentationLib.training.finishing import Order, train_network
from MicrocalcSegmentationLib.training.learning import Course, learn
from MicrocalcSegmentationLib.training.minibatches import Minibatches, Plan
from MicrocalcSegmentationLib.training.samples.access import Samples
from MicrocalcSegmentationLib.training.scoring import scores_of

TINY = Architecture(29, channels=(4, 6, 6, 6, 6, 6), features=8)
COURSE = Course(12, 16, check_every=4, held=2, checkpoint_every=3, judged=60, judged_far=60)
DIES_AT = 8


class Dies:
    """Progress that ends the process without a word at a step."""

    def __init__(self):
        self.steps = 0

    def report(self, fraction, text):
        self.steps += 1
        if self.steps == DIES_AT:
            os.kill(os.getpid(), signal.SIGKILL)


def main(database: Path, folder: Path) -> None:
    """Die, or go on from there; raises SystemExit when what was learnt is not the same."""
    order = Order(database, folder / "model", folder / "work", "elsewhere")
    progress = Silent() if folder.exists() else Dies()
    train_network("detector", TINY, COURSE, order, progress)
    samples = Samples(database)
    gone_on = learn("detector", TINY, samples, COURSE, (order.work / "detector", Silent()))
    straight = learn("detector", TINY, samples, COURSE, (folder / "straight", Silent()))
    weights = zip(gone_on.network.get_weights(), straight.network.get_weights(), strict=True)
    if gone_on.state != straight.state or not all(np.array_equal(*pair) for pair in weights):
        sys.exit("the training that was killed gave other weights")
    train_network("segmentator", TINY, replace(COURSE, precision="bfloat16"), order, Silent())
    model, scores = load_model(order.output), {}
    for which in NETWORKS:
        minibatches = Minibatches(samples, Plan(which, TINY, "validation", augmentation=None))
        scores[which] = scores_of(model.network(which), minibatches.batch(0).patches)
    np.savez(folder / "scores.npz", **scores)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
