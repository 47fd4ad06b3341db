"""Cutting what must be computed into rectangles, so that little else is."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tile:
    """A rectangle of cells: first row and column, and how many of each."""

    row: int
    col: int
    rows: int
    cols: int


def cover(wanted: np.ndarray, rim: float, most: int) -> list[Tile]:
    """Rectangles that hold every wanted cell once, none of more than `most` cells.

    wanted: (rows, cols) bool. A tile of h x w cells is taken to cost (h + rim) (w + rim):
    what a network needs around its answers is computed too. So a tile is cut in two where
    that saves more than it costs, and shrunk to what is wanted.
    """
    tiles, waiting = [], [(0, 0, wanted)]
    while waiting:
        row, col, cells = waiting.pop()
        rows, cols = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
        if not len(rows):
            continue
        cells = cells[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        row, col = row + int(rows[0]), col + int(cols[0])
        cut = _best_cut(cells, rim, cells.size > most)
        if cut is None:
            tiles.append(Tile(row, col, *cells.shape))
            continue
        axis, at = cut
        first, second = (cells[:at], cells[at:]) if axis == 0 else (cells[:, :at], cells[:, at:])
        waiting.append((row + at, col, second) if axis == 0 else (row, col + at, second))
        waiting.append((row, col, first))
    return tiles


def _best_cut(cells: np.ndarray, rim: float, must: bool) -> tuple[int, int] | None:
    """(axis, first index of the second part) of the cheapest cut; None where none pays."""
    if must:
        # Too large: through the middle of the longer side, whatever it costs.
        axis = int(cells.shape[1] > cells.shape[0])
        return axis, cells.shape[axis] // 2
    best, cheapest = None, (cells.shape[0] + rim) * (cells.shape[1] + rim)
    for axis in (0, 1):
        first, last = _reach(cells, axis)
        before, after = _costs(first, last, rim), _costs(first[::-1], last[::-1], rim)
        both = before[:-1] + after[-2::-1]
        if len(both) and both.min() < cheapest:
            best, cheapest = (axis, int(both.argmin()) + 1), both.min()
    return best


def _reach(cells: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last wanted cell of each row (axis 0) or column (1); last is -1 in none."""
    across, count = 1 - axis, cells.shape[1 - axis]
    any_here = cells.any(axis=across)
    first = np.where(any_here, cells.argmax(axis=across), count)
    last = np.where(any_here, count - 1 - np.flip(cells, across).argmax(axis=across), -1)
    return first, last


def _costs(first: np.ndarray, last: np.ndarray, rim: float) -> np.ndarray:
    """Cost of the smallest rectangle around what is wanted of the first 1, 2, ... rows."""
    any_here = last >= 0
    width = np.maximum.accumulate(last) - np.minimum.accumulate(first) + 1
    rows = np.arange(1, len(first) + 1)
    top = any_here.argmax() if any_here.any() else len(first)
    bottom = np.maximum.accumulate(np.where(any_here, rows, 0))
    return np.where(width > 0, (bottom - top + rim) * (width + rim), 0.0)
