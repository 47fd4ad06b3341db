"""The method in one pass over many patches: the reference's numbers for less work.

A network without padding gives a patch the same answer whether it is evaluated by itself
or as part of a larger image. So the detector runs over a whole tile and is read out where
windows start, and the segmentator answers at every pixel of a tile, and neighbouring
patches share their convolutions. Only tiles that hold windows or candidates are computed.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from itertools import islice

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
SEGMENTATOR_CUT_RIM_CELLS = 3.0
TILE_PX = 400.0  # of answers: what a tile costs besides, most of it in its deeper rims


def score_windows(
    pixels: np.ndarray, starts_rc: np.ndarray, network: Network, work: Work
) -> np.ndarray:
    """(n,) float32: `windows.score_patches`, for windows that overlap by half.

    Windows that start on the lattice of half a side share their work. Those flush with the
    last row or column need not lie on it, and are evaluated by themselves; so are all of
    them where half a side is no multiple of the network's stride (N = 29 and 39), for then
    neighbours meet the poolings in different phases and have little to share.
    """
    architecture = network.architecture
    step = network.step
    on_lattice = (starts_rc % step == 0).all(axis=1) & (network.shared is not None)
    single, cells = starts_rc[~on_lattice], starts_rc[on_lattice] // step
    until = len(single) / max(len(starts_rc), 1)
    scores = np.empty(len(starts_rc), np.float32)
    scores[~on_lattice] = score_patches(
        pixels, single, architecture, network.patches, work.part(0, until)
    )
    if len(cells):
        wanted = np.zeros(cells.max(axis=0) + 1, bool)
        wanted[tuple(cells.T)] = True
        most = max(1, network.pixels_at_once // step**2)
        tiles = cover(wanted, DETECTOR_RIM_CELLS, most, DETECTOR_EACH_CELLS)
        around, _ = surrounded(pixels, architecture)
        answers = _answers(around, wanted.shape, tiles, network, work.part(until, 1))
        scores[on_lattice] = answers[tuple(cells.T)]
    return scores


def score_pixels_dense(
    pixels: np.ndarray, where: np.ndarray, network: Network, work: Work
) -> np.ndarray:
    """(rows, cols) float32: `windows.score_pixels`, by a network that shares at step 1."""
    pixels, _ = surrounded(pixels, network.architecture)
    half = network.architecture.patch_side // 2
    tiles = pixel_tiles(where, network.pixels_at_once)
    scores = _answers(pixels, where.shape, tiles, network, work, first=-half)
    scores[~where] = 0
    return scores


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


def _answers(pixels, shape, tiles: list[Tile], network: Network, work: Work, first: int = 0):
    """(shape) float32 answers of all tiles, 0 outside them.

    first: row and column at which the patch of answer (0, 0) starts; negative outside.
    """
    seen, step = network.architecture.seen_side, network.step
    answers = np.zeros(shape, np.float32)

    def compute(tile: Tile) -> int:
        corner = [first + step * start for start in (tile.row, tile.col)]
        extent = [step * (count - 1) + seen for count in (tile.rows, tile.cols)]
        window = np.s_[tile.row : tile.row + tile.rows, tile.col : tile.col + tile.cols]
        answers[window] = network.shared(_cut_out(pixels, corner, extent))
        return tile.rows * tile.cols

    total, done = sum(tile.rows * tile.cols for tile in tiles), 0
    # The largest first, so that at the end all lanes finish at about the same time.
    tiles = sorted(tiles, key=lambda tile: -tile.rows * tile.cols)
    for cells in _in_lanes(network.lanes, compute, tiles):
        done += cells
        work.progress.report(done / total, work.text)
    return answers


def _in_lanes(lanes: int, compute: Callable[[Tile], int], tiles: list[Tile]) -> Iterator[int]:
    """What compute gives for each tile, in the order in which they are done.

    Few are begun ahead, so that whoever stops asking need not wait for many.
    """
    if lanes == 1:
        yield from map(compute, tiles)
        return
    waiting = iter(tiles)
    with ThreadPoolExecutor(lanes) as pool:
        begun = {pool.submit(compute, tile) for tile in islice(waiting, lanes + 1)}
        while begun:
            done, begun = wait(begun, return_when=FIRST_COMPLETED)
            begun |= {pool.submit(compute, tile) for tile in islice(waiting, len(done))}
            for one in done:
                yield one.result()


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
