"""How fast samples are drawn, cut and made into minibatches, and how fast they are learnt from.

Usage: python Testing/benchmarks/training_access.py samples.sqlite [N [padding]]
All figures are of one run, one after the other, on the cores that the process may use. The
line of each precision says how many times as fast as learning in it minibatches are made.
"""

import os
import sys
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from MicrocalcSegmentationLib.freed_memory import keep_freed_memory
from MicrocalcSegmentationLib.networks import PRECISIONS, Architecture, build, compiles
from MicrocalcSegmentationLib.training.minibatches import Minibatches, Plan
from MicrocalcSegmentationLib.training.samples.access import Samples

_SECONDS = 6.0


def per_second(patches: int, work) -> float:
    """Patches a second of a call that handles so many, after a few calls to warm up."""
    for number in range(5):
        work(number)
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < _SECONDS:
        work(calls)
        calls += 1
    return patches * calls / (time.perf_counter() - started)


def main(path: str, side: str = "49", padding: str = "valid") -> None:
    """Print the table."""
    keep_freed_memory()  # as training does
    samples, architecture = Samples(Path(path)), Architecture(int(side), padding)
    print(f"{len(os.sched_getaffinity(0))} cores, N {side}, {padding}, minibatches of 256")
    for which in ("detector", "segmentator"):
        plan = Plan(which, architecture)
        whole = Minibatches(samples, plan)
        bare = Minibatches(samples, Plan(which, architecture, augmentation=None))
        batch = whole.batch(0)
        rates = {
            "drawn and cut": per_second(256, bare.batch),
            "drawn, cut, turned, varied": per_second(256, whole.batch),
        }
        for name, rate in rates.items():
            print(f"{which:12}{name:28}{rate:10,.0f} patches/s")
        for precision in PRECISIONS:
            network = build(architecture, which, precision=precision)
            network.compile(
                keras.optimizers.Adam(), "categorical_crossentropy", jit_compile=compiles()
            )
            learn = partial(network.train_on_batch, batch.patches, batch.targets)
            learnt = per_second(256, lambda _, learn=learn: learn())
            print(f"{which:12}{'learnt from, ' + precision:28}{learnt:10,.0f} patches/s", end="")
            print(*(f"; {name}: {rate / learnt:.1f} x" for name, rate in rates.items()), sep="")


if __name__ == "__main__":
    main(*sys.argv[1:])
