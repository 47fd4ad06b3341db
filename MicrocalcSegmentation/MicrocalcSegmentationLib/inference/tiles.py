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

    @property
    def window(self) -> tuple[slice, slice]:
        """What it is of an array."""
        return np.s_[self.row : self.row + self.rows, self.col : self.col + self.cols]


def cover(wanted: np.ndarray, rim: float, most: int, each: float = 0.0) -> list[Tile]:
    """Rectangles that hold every wanted cell once, none of more than `most` cells.

    wanted: (rows, cols) bool. A tile of h x w cells is taken to cost (h + rim) (w + rim)
    + each: what a network needs around its answers is computed too. So a tile is cut in two
    where that saves more than it costs, and shrunk to what is wanted.
    """
    tiles, waiting = [], [(0, 0, wanted)]
    while waiting:
        row, col, cells = waiting.pop()
        parts = _parts(cells, rim, most, each)
        if len(parts) == 1:
            top, left, cells = parts[0]
            tiles.append(Tile(row + top, col + left, *cells.shape))
        else:
            waiting += [(row + top, col + left, part) for top, left, part in reversed(parts)]
    return tiles


def fitted(tile: Tile, wanted: np.ndarray) -> Tile:
    """The tile without the rows and columns around it that hold nothing wanted.

    wanted: (rows, cols) bool, some of it in the tile, of what the tile's sides count.
    """
    rows, cols = _held(wanted[tile.window])
    return Tile(
        tile.row + int(rows[0]),
        tile.col + int(cols[0]),
        int(rows[-1] - rows[0]) + 1,
        int(cols[-1] - cols[0]) + 1,
    )


def joined(tiles: list[Tile], rim: float, each: float, most: int) -> list[Tile]:
    """The same tiles, pairs replaced by one around both for as long as that is cheaper.

    A tile of h x w is taken to cost (h + rim) (w + rim) + each. None becomes larger than
    `most`, and those that do not overlap still do not: what is computed twice might differ
    in its last bit, and which one stays would be left to chance.
    """
    if len(tiles) < 2:
        return tiles
    # One array a side: of arrays of four numbers each, numpy makes ten times the work.
    sides = np.array([(t.row, t.col, t.row + t.rows, t.col + t.cols) for t in tiles], float).T
    cost = _cost_of(sides, rim, each)
    both = _around(sides[:, :, None], sides[:, None])
    gain = cost[:, None] + cost - _cost_of(both, rim, each)
    gain[_cost_of(both, 0.0, 0.0) > most] = -np.inf
    np.fill_diagonal(gain, -np.inf)
    while True:
        one, other = divmod(int(gain.argmax()), len(tiles))
        if gain[one, other] <= 0:
            break
        top, left, bottom, right = both = _around(sides[:, one], sides[:, other])
        meets = (sides[0] < bottom) & (sides[1] < right) & (top < sides[2]) & (left < sides[3])
        if np.count_nonzero(meets) > 2:
            gain[one, other] = gain[other, one] = -np.inf
            continue
        sides[:, one], sides[:, other] = both, -1
        cost[one], cost[other] = _cost_of(both, rim, each), -np.inf
        gain[one] = gain[:, one] = _gains(one, sides, cost, rim, each, most)
        gain[other] = gain[:, other] = -np.inf
    return [
        Tile(row, col, bottom - row, right - col)
        for row, col, bottom, right in sides[:, cost > 0].T.astype(int).tolist()
    ]


def _around(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(4, ...) top, left, bottom and right of the rectangles around both."""
    return np.stack(
        [
            np.minimum(one[0], other[0]),
            np.minimum(one[1], other[1]),
            np.maximum(one[2], other[2]),
            np.maximum(one[3], other[3]),
        ]
    )


def _cost_of(sides: np.ndarray, rim: float, each: float) -> np.ndarray:
    return (sides[2] - sides[0] + rim) * (sides[3] - sides[1] + rim) + each


def _gains(index: int, sides, cost, rim: float, each: float, most: int) -> np.ndarray:
    """(n,) what joining a tile with each other one saves; -inf where it must not be."""
    both = _around(sides[:, index, None], sides)
    gains = cost[index] + cost - _cost_of(both, rim, each)
    gains[_cost_of(both, 0.0, 0.0) > most] = -np.inf
    gains[index] = -np.inf
    return gains


_Part = tuple[int, int, np.ndarray]  # its first row and column, and its cells


def _parts(cells: np.ndarray, rim: float, most: int, each: float) -> list[_Part]:
    """What to cut the cells into; one, shrunk, where no cut pays, and none of nothing."""
    if cells.size <= most and cells.all():
        return [(0, 0, cells)]
    held = _held(cells)
    if not len(held[0]):
        return []
    for axis, lines in enumerate(held):
        if lines[-1] - lines[0] < len(lines):
            continue
        # A gap of this width pays, whatever lies on both sides: no need to compare.
        ends = np.flatnonzero(lines[1:] - lines[:-1] - 1 >= max(rim + each, 1.0))
        if len(ends):
            starts, stops = lines[np.r_[0, ends + 1]], lines[np.r_[ends, -1]] + 1
            return [_slice(cells, axis, *span) for span in zip(starts, stops, strict=True)]
    top, left = (int(lines[0]) for lines in held)
    cells = cells[top : held[0][-1] + 1, left : held[1][-1] + 1]
    cut = _best_cut(cells, rim, cells.size > most, each)
    if cut is None:
        return [(top, left, cells)]
    axis, at = cut
    parts = (_slice(cells, axis, *span) for span in ((0, at), (at, cells.shape[axis])))
    return [(top + row, left + col, part) for row, col, part in parts]


def _held(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows and the columns that hold wanted cells."""
    return cells.any(axis=1).nonzero()[0], cells.any(axis=0).nonzero()[0]


def _slice(cells: np.ndarray, axis: int, start: int, stop: int) -> _Part:
    if axis == 0:
        return int(start), 0, cells[start:stop]
    return 0, int(start), cells[:, start:stop]


def _best_cut(cells: np.ndarray, rim: float, must: bool, each: float) -> tuple[int, int] | None:
    """(axis, first index of the second part) of the cheapest cut; None where none pays.

    cells: with something wanted in the first and last row and column.
    """
    if must:
        # Too large: through the middle of the longer side, whatever it costs.
        axis = int(cells.shape[1] > cells.shape[0])
        return axis, cells.shape[axis] // 2
    if cells.size - np.count_nonzero(cells) <= rim**2 + each:
        return None  # a cut adds that much, and saves no more than what is not wanted
    best, cheapest = None, (cells.shape[0] + rim) * (cells.shape[1] + rim) - each
    for axis, lines in enumerate((cells, cells.T)):
        costs = _costs_of_cuts(lines, rim)
        if len(costs) and costs.min() < cheapest:
            best, cheapest = (axis, int(costs.argmin()) + 1), costs.min()
    return best


def _costs_of_cuts(lines: np.ndarray, rim: float) -> np.ndarray:
    """(n - 1,) cost of the smallest rectangles around what is wanted before and after each cut.

    lines: (n, length) bool, something wanted in the first and the last of them.
    """
    count, length = lines.shape
    # How far what is wanted reaches down, right, left and up, in each line.
    reach = np.empty((4, count), int)
    reach[0] = np.arange(1, count + 1)
    reach[1] = length - lines[:, ::-1].argmax(axis=1)
    reach[2] = -lines.argmax(axis=1)
    reach[3] = reach[0, ::-1]
    reach[:, ~lines.any(axis=1)] = -length - count
    before = np.maximum.accumulate(reach[:3, :-1], axis=1) + rim
    after = np.maximum.accumulate(reach[:0:-1, :0:-1], axis=1)[:, ::-1] + rim
    return before[0] * (before[1] + before[2] - rim) + after[0] * (after[1] + after[2] - rim)
