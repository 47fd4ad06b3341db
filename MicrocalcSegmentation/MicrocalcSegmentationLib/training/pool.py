"""Many sheets on disk, made once, on all cores, and resumed where it stopped."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ..progress import Progress
from .sheets import Sheet, make_sheet
from .tissue import RealTissue


def fill_pool(
    folder: Path, seeds: Sequence[int], real: RealTissue, progress: Progress
) -> list[Path]:
    """Make the sheets of these seeds that the folder lacks; return all their files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"sheet-{seed:08d}.npz" for seed in seeds]
    missing = [(path, seed) for path, seed in zip(paths, seeds, strict=True) if not path.exists()]
    # Spawned, not forked: TensorFlow's threads do not survive a fork.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as workers:
        jobs = [workers.submit(_make_one, path, seed, real) for path, seed in missing]
        try:
            for done, job in enumerate(as_completed(jobs), 1):
                job.result()
                progress.report(done / len(jobs), f"sheet {done} of {len(jobs)}")
        except BaseException:
            workers.shutdown(cancel_futures=True)
            raise
    return paths


def load_sheet(path: Path) -> Sheet:
    """Read a sheet written by `fill_pool`."""
    with np.load(path, allow_pickle=False) as stored:
        return Sheet(stored["pixels"], stored["labels"])


def _make_one(path: Path, seed: int, real: RealTissue) -> None:
    sheet = make_sheet(seed, real)
    beside = path.with_suffix(".part")
    with beside.open("wb") as file:
        np.savez(file, pixels=sheet.pixels, labels=sheet.labels)
    beside.replace(path)
