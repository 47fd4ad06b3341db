"""Work on an image a band of rows at a time: what is in use stays in the cache, and all
cores take part, since numpy lets go of Python's lock while it computes."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

BAND_ROWS = 32


def in_bands(rows: int, work: Callable[[slice], None]) -> None:
    """Call work(slice of rows) for bands that together are all rows, in any order."""
    bands = [slice(first, min(first + BAND_ROWS, rows)) for first in range(0, rows, BAND_ROWS)]
    with ThreadPoolExecutor(cores()) as pool:
        for _ in pool.map(work, bands):  # to raise here what was raised in a thread
            pass


def cores() -> int:
    """How many this process may use: fewer than there are where a scheduler allots them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
