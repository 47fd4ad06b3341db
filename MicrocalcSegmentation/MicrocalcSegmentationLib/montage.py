"""Small parts of images side by side: on a few pixels, a call takes longer than its work."""

from collections.abc import Iterator, Sequence

import numpy as np

AT_ONCE = 100  # parts; among more, a large one would leave much room below the others


def batches(parts: list) -> Iterator[list]:
    """Few enough at a time for a montage."""
    for first in range(0, len(parts), AT_ONCE):
        yield parts[first : first + AT_ONCE]


class Montage:
    """A row of rectangles, so many pixels apart from each other and from the border.

    places: (row, col) slices of each. shape: (rows, cols) of all.
    """

    def __init__(self, shapes: Sequence[tuple[int, int]], apart: int = 1):
        ends = np.cumsum([0, *(cols + apart for _, cols in shapes)]).tolist()
        self.places = [
            (slice(apart, apart + rows), slice(end + apart, end + apart + cols))
            for end, (rows, cols) in zip(ends, shapes, strict=False)
        ]
        highest = max((rows for rows, _ in shapes), default=0)
        self.shape = (highest + 2 * apart, ends[-1] + apart)

    def lay(self, parts: Sequence[np.ndarray], between: float) -> np.ndarray:
        """(rows, cols), of the first part's type: each in its place, and the value between them."""
        laid = np.full(self.shape, between, parts[0].dtype)
        for place, part in zip(self.places, parts, strict=True):
            laid[place] = part
        return laid
