"""The method in one pass over many patches: the reference's numbers for less work.

A network without padding gives a patch the same answer whether it is evaluated by itself
or as part of a larger image. So the detector runs over a whole tile and is read out where
windows start, and the segmentator answers at every pixel of a tile, and neighbouring
patches share their convolutions. Only tiles that hold windows or candidates are computed.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Semaphore

import numpy as np

from .network import Network
from .tiles import Tile, cover, fitted, joined
from .windows import Work, score_patches, surrounded

CELL_PX = 4  # what a segmentator's tiles are first cut from
# What a tile computes around its answers, weighted by the work in each layer: 16 pixels.
DETECTOR_RIM_CELLS = 0.7
DETECTOR_EACH_CELLS = 4.0  # what calling the network takes
SEGMENTATOR_RIM_PX = 16.0
# Cut finer than that is worth, and then joined: the cuts know nothing of what lies beyond them.
SEGMENTATOR_CUT_RIM_CELLS = SEGMENTATOR_RIM_PX / CELL_PX
TILE_PX = 400.0  # of answers: what a tile costs besides, most of it in its deeper rims
MOST_AHEAD = 4  # tiles of a lane that are computed and not yet reported


@dataclass(frozen=True)
class _Lattice:
    """Patches that start a network's step apart, and their answers, which tiles fill in.

    first_rc: where the patch of answer (0, 0) starts; negative outside the image.
    wanted: (rows, cols) bool; the other answers stay 0. tiles: that hold what is wanted.
    """

    first_rc: tuple[int, int]
    wanted: np.ndarray
    tiles: list[Tile]
    answers: np.ndarray


def score_windows(
    pixels: np.ndarray, starts_rc: np.ndarray, network: Network, work: Work
) -> np.ndarray:
    """(n,) float32: `windows.score_patches`, for windows that overlap by half.

    Windows that start a multiple of half a side apart share their work: those flush with
    the last row or column do so among themselves. Where half a side is no multiple of the
    network's stride (N = 29 and 39), neighbours meet the poolings in different phases and
    have little to share; there each is evaluated by itself.
    """
    if network.shared is None:
        return score_patches(pixels, starts_rc, network.architecture, network.patches, work)
    step, most = network.step, max(1, network.pixels_at_once // network.step**2)
    phase = starts_rc % step @ [step, 1]
    members, lattices = [phase == one for one in np.unique(phase)], []
    places = np.empty_like(starts_rc)
    for on in members:
        first = starts_rc[on].min(axis=0)
        places[on] = (starts_rc[on] - first) // step
        wanted = np.zeros(places[on].max(axis=0) + 1, bool)
        wanted[tuple(places[on].T)] = True
        tiles = cover(wanted, DETECTOR_RIM_CELLS, most, DETECTOR_EACH_CELLS)
        lattices.append(_lattice(first, wanted, tiles))
    _fill(surrounded(pixels, network.architecture)[0], lattices, network, work)
    scores = np.empty(len(starts_rc), np.float32)
    for on, lattice in zip(members, lattices, strict=True):
        scores[on] = lattice.answers[tuple(places[on].T)]
    return scores


def score_pixels_dense(
    pixels: np.ndarray, where: np.ndarray, network: Network, work: Work
) -> np.ndarray:
    """(rows, cols) float32: `windows.score_pixels`, by a network that shares at step 1."""
    half = network.architecture.patch_side // 2
    lattice = _lattice((-half, -half), where, pixel_tiles(where, network.pixels_at_once))
    _fill(surrounded(pixels, network.architecture)[0], [lattice], network, work)
    return lattice.answers


def pixel_tiles(where: np.ndarray, most: int) -> list[Tile]:
    """Tiles of at most about so many pixels that hold each of (rows, cols) bool in one of them."""
    short = [(0, -size % CELL_PX) for size in where.shape]
    padded = np.pad(where, short)
    lines = padded.reshape(-1, CELL_PX, padded.shape[1]).any(axis=1)
    cells = lines.view(f"u{CELL_PX}") != 0  # as one number each: `any` of so few is slow
    tiles = [
        fitted(Tile(*(CELL_PX * n for n in (tile.row, tile.col, tile.rows, tile.cols))), where)
        for tile in cover(cells, SEGMENTATOR_CUT_RIM_CELLS, max(1, most // CELL_PX**2))
    ]
    return joined(tiles, SEGMENTATOR_RIM_PX, TILE_PX, most)


def _lattice(first_rc, wanted: np.ndarray, tiles: list[Tile]) -> _Lattice:
    return _Lattice(tuple(first_rc), wanted, tiles, np.zeros(wanted.shape, np.float32))


def _fill(pixels: np.ndarray, lattices: list[_Lattice], network: Network, work: Work) -> None:
    """Compute all tiles of the lattices."""
    seen, step = network.architecture.seen_side, network.step

    def compute(lattice: _Lattice, tile: Tile) -> int:
        corner = [
            first + step * start
            for first, start in zip(lattice.first_rc, (tile.row, tile.col), strict=True)
        ]
        extent = [step * (count - 1) + seen for count in (tile.rows, tile.cols)]
        answers = network.shared(_cut_out(pixels, corner, extent))
        here = tile.window
        np.copyto(lattice.answers[here], answers, where=lattice.wanted[here])
        return np.count_nonzero(lattice.wanted[here])

    tiles = [(lattice, tile) for lattice in lattices for tile in lattice.tiles]
    # The largest first, so that at the end all lanes finish at about the same time.
    tiles.sort(key=lambda one: -one[1].rows * one[1].cols)
    total, done = sum(np.count_nonzero(lattice.wanted) for lattice in lattices), 0
    for answers in _in_lanes(network.lanes, compute, tiles):
        done += answers
        work.progress.report(done / total, work.text)


def _in_lanes(lanes: int, compute: Callable[..., int], of: list[tuple]) -> Iterator[int]:
    """The sum of what compute gives for all of these, bit by bit.

    The caller's own thread is a lane: one that only waits would take a core from the others
    whenever it is told of a tile. None of the others gets far ahead of what has been given.
    """
    waiting, given, ahead = deque(of), deque(), Semaphore(MOST_AHEAD * lanes)

    def next_one() -> tuple | None:
        try:
            return waiting.popleft()
        except IndexError:
            return None

    def others() -> None:
        try:
            while ahead.acquire() and (one := next_one()):
                given.append(compute(*one))
        finally:
            stop()  # where one fails, none goes on

    def stop() -> None:
        waiting.clear()
        ahead.release(lanes)

    with ThreadPoolExecutor(max(1, lanes - 1)) as pool:
        running = [pool.submit(others) for _ in range(lanes - 1)]
        try:
            while one := next_one():
                own, also = compute(*one), len(given)
                yield own + sum(given.popleft() for _ in range(also))
                if also:
                    ahead.release(also)
        finally:
            stop()
        for one in running:
            one.result()  # raises here what was raised in a thread
    if given:
        yield sum(given)


def _cut_out(pixels: np.ndarray, corner: list[int], extent: list[int]) -> np.ndarray:
    """A rectangle of the image; 0 where it reaches over the border, as over background."""
    inner = tuple(
        slice(max(0, start), max(0, min(size, start + length)))
        for start, length, size in zip(corner, extent, pixels.shape, strict=True)
    )
    part = pixels[inner]
    if part.shape == tuple(extent):
        return part
    block = np.zeros(extent, np.float32)
    row, col = (side.start - start for side, start in zip(inner, corner, strict=True))
    block[row : row + part.shape[0], col : col + part.shape[1]] = part
    return block
