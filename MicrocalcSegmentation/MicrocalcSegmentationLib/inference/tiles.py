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


def fitted(tile: Tile, wanted: np.ndarray) -> Tile:
    """The tile without the rows and columns around it that hold nothing wanted.

    wanted: (rows, cols) bool, some of it in the tile, of what the tile's sides count.
    """
    part = wanted[tile.row : tile.row + tile.rows, tile.col : tile.col + tile.cols]
    rows, cols = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
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
    if not tiles:
        return []
    corners = np.array([(t.row, t.col, t.row + t.rows, t.col + t.cols) for t in tiles], float)
    cost = _cost_of(corners, rim, each)
    gain = np.stack([_gains(index, corners, cost, rim, each, most) for index in range(len(tiles))])
    while True:
        one, other = divmod(int(gain.argmax()), len(tiles))
        if gain[one, other] <= 0:
            break
        both = _around(corners[one], corners[other])
        meets = ((corners[:, :2] < both[2:]) & (both[:2] < corners[:, 2:])).all(axis=1)
        if meets.sum() > 2:
            gain[one, other] = gain[other, one] = -np.inf
            continue
        corners[one], corners[other] = both, -1
        cost[one], cost[other] = _cost_of(both, rim, each), -np.inf
        gain[one] = gain[:, one] = _gains(one, corners, cost, rim, each, most)
        gain[other] = gain[:, other] = -np.inf
    return [
        Tile(row, col, bottom - row, right - col)
        for row, col, bottom, right in corners[cost > 0].astype(int).tolist()
    ]


def _around(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(..., 4) first and last corners of the rectangles around both."""
    first = np.minimum(one[..., :2], other[..., :2])
    return np.concatenate([first, np.maximum(one[..., 2:], other[..., 2:])], axis=-1)


def _cost_of(corners: np.ndarray, rim: float, each: float) -> np.ndarray:
    return (corners[..., 2:] - corners[..., :2] + rim).prod(axis=-1) + each


def _gains(index: int, corners, cost, rim: float, each: float, most: int) -> np.ndarray:
    """(n,) what joining a tile with each other one saves; -inf where it must not be."""
    both = _around(corners[index], corners)
    gains = cost[index] + cost - _cost_of(both, rim, each)
    gains[(both[:, 2:] - both[:, :2]).prod(axis=1) > most] = -np.inf
    gains[index] = -np.inf
    return gains


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
