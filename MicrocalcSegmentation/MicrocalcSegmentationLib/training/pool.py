"""Many sheets on disk, made once, on all cores, and resumed where it stopped."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ..freed_memory import keep_freed_memory
from ..progress import Progress
from .artery_sheets import make_artery_sheet
from .kept import stamp, tissue_of
from .sheets import KINDS, Sheet, kind_of, make_sheet
from .tissue import RealTissue

MAKERS = {
    "crowded": make_sheet,
    "sparse": partial(make_sheet, crowded=False),
    "arteries": make_artery_sheet,
}


@dataclass(frozen=True)
class Wanted:
    """Sheets of so many seeds from the first one.

    of: one of `MAKERS`: crowded with MCs, with few, or of arteries. kinds: sheets of other
    kinds are left out.
    """

    first_seed: int
    count: int
    of: str = "crowded"
    kinds: tuple[str, ...] = KINDS

    @property
    def seeds(self) -> list[int]:
        """Of the sheets that are left."""
        every = range(self.first_seed, self.first_seed + self.count)
        return [seed for seed in every if kind_of(seed) in self.kinds]


def fill_pool(
    folder: Path, wanted: Sequence[Wanted], real: RealTissue, progress: Progress
) -> list[list[Path]]:
    """Make the wanted sheets that the folder lacks; return all their files, of each wish.

    Raises InputError when the folder's sheets are of other tissue, or of another simulation.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamped = folder / "sheets.json"
    if stamped.exists() or not any(folder.glob("sheet-*.npz")):  # earlier versions said nothing
        stamp(stamped, tissue_of(real))
    orders = [
        [(folder / f"sheet-{seed:08d}.npz", seed, wish.of) for seed in wish.seeds]
        for wish in wanted
    ]
    missing = [order for wish in orders for order in wish if not order[0].exists()]
    # Spawned, not forked: TensorFlow's threads do not survive a fork.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), keep_freed_memory) as workers:
        jobs = [workers.submit(_make_one, *order, real) for order in missing]
        try:
            for done, job in enumerate(as_completed(jobs), 1):
                job.result()
                progress.report(done / len(jobs), f"sheet {done} of {len(jobs)}")
        except BaseException:
            workers.shutdown(cancel_futures=True)
            raise
    return [[path for path, _, _ in wish] for wish in orders]


def load_sheet(path: Path) -> Sheet:
    """Read a sheet written by `fill_pool`."""
    with np.load(path, allow_pickle=False) as stored:
        return Sheet(stored["pixels"], stored["labels"])


def _make_one(path: Path, seed: int, of: str, real: RealTissue) -> None:
    sheet = MAKERS[of](seed, real)
    beside = path.with_suffix(".part")
    with beside.open("wb") as file:
        np.savez(file, pixels=sheet.pixels, labels=sheet.labels)
    beside.replace(path)
