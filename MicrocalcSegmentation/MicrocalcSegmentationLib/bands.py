"""Work on an image a band of rows at a time: no copy of all of it is made on the way, and all
cores take part, since numpy lets go of Python's lock while it computes."""

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

BAND_ROWS = 256  # with fewer, threads wait for Python's lock longer than they compute
Here = tuple[slice, slice]
Result = TypeVar("Result")


def in_bands(rows: int, work: Callable[[slice], None], each: int = 1) -> None:
    """Call work(slice of rows) for bands that together are all rows, in any order.

    each: how many rows of an image one of these stands for.
    """
    high = max(1, BAND_ROWS // each)
    waiting = deque(slice(first, min(first + high, rows)) for first in range(0, rows, high))

    def work_through() -> None:
        # Each thread takes the next band: handing over every one by itself costs more.
        while waiting:
            try:
                band = waiting.popleft()
            except IndexError:  # another thread was quicker
                return
            work(band)

    threads = min(cores(), len(waiting))
    if threads <= 1:
        work_through()
        return
    with ThreadPoolExecutor(threads) as pool:
        for one in [pool.submit(work_through) for _ in range(threads)]:
            one.result()  # raises here what was raised in a thread


def in_bands_of(inside: np.ndarray, work: Callable[[Here], None]) -> None:
    """Call work(slices of rows and columns) for parts of a (rows, cols) mask, in any order.

    Together they hold every pixel of it, and no column beside it in their rows.
    """

    def in_one(rows: slice) -> None:
        cols = np.flatnonzero(inside[rows].any(axis=0))
        if len(cols):
            work((rows, slice(int(cols[0]), int(cols[-1]) + 1)))

    in_bands(len(inside), in_one)


def at_once(*calls: Callable[[], Result]) -> list[Result]:
    """What each of a few calls gives, in their order; the cores take one each."""
    if cores() == 1:
        return [call() for call in calls]
    with ThreadPoolExecutor(len(calls)) as pool:
        return [one.result() for one in [pool.submit(call) for call in calls]]


def cores() -> int:
    """How many this process may use: fewer than there are where a scheduler allots them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
