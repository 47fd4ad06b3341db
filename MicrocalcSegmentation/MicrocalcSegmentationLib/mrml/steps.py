"""Work in short steps: a generator that yields whenever a window may look after itself."""

from collections.abc import Generator, Iterator
from typing import TypeVar

import numpy as np

Made = TypeVar("Made")

STEP_BYTES = 1 << 22  # looked at or copied in a step: a few milliseconds of work


def bands_of(values: np.ndarray) -> Iterator[slice]:
    """Slices of rows that together are all of (rows, cols) values."""
    row_bytes = max(1, values.shape[1] * max(values.itemsize, 4))
    rows = max(1, STEP_BYTES // row_bytes)
    for first in range(0, values.shape[0], rows):
        yield slice(first, first + rows)


def finished(steps: Generator[object, None, Made]) -> Made:
    """Do all the steps at once; returns what they made."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value
