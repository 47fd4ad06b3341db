"""A worker whose networks are a few lines: what it does is told by the model's name."""

import os
import signal
import sys
import time

import numpy as np
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.findings import Scores
from MicrocalcSegmentationLib.gui.worker import main
from MicrocalcSegmentationLib.settings import Settings


def score_one(mammogram, model, settings, progress):
    """Everything brighter than 100 is an MC, the brighter the more probable."""
    progress.report(0.1, "starting")
    if model == "refuse":
        raise InputError("film: cannot be used; try another")
    if model == "fail":
        raise ValueError("something\nodd")
    if model == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if model == "deaf":
        time.sleep(30)
    if model == "slow":
        for step in range(300):
            time.sleep(0.1)
            progress.report(0.1 + step / 400, "working slowly")
    print("libraries write to standard output as they please")
    shape = mammogram.pixels.shape
    probability = np.clip((mammogram.pixels - 100) / 100, 0, 1)
    scores = Scores(
        mammogram=mammogram,
        breast=np.ones(shape, bool),
        candidates=probability > 0,
        probability=probability,
        deviation=np.full(shape, 2, np.float32),
        model_name="fake",
        model_version=str(os.getpid()),
        settings=Settings(threshold=settings.threshold or 0.5, detector_threshold=0.5),
        odds_divisor=2.0,
        arteries_model="arteries 7",
        arteries=(np.array([[0.1, 2.5], [3.0, 4.7]]), np.array([[7.0, 1 / 3]])),
    )
    return scores, f"few lines on the CPU: asked for {settings.engine}, {settings.device}"


if __name__ == "__main__":
    if "broken" in sys.argv:
        sys.exit("cannot start: no library")
    main(score_one)
