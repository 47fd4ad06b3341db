"""The segmentator over whole regions at once: the reference's numbers for less work.

A `valid` network sliding over a region answers for every fourth pixel each way and
shares the convolutions of neighbouring patches. Sixteen passes, each shifted by a
pixel, fill the map. Pooling sees the same pixels as in a single patch, so the result
is the reference's up to rounding.
"""

import numpy as np

from .engines import Predict
from .windows import Work

STRIDE = 4
BLOCK_PX = 128  # side of the map computed at once; a multiple of the stride


def score_pixels_sliding(
    pixels: np.ndarray, where: np.ndarray, sides: tuple[int, int], predict: Predict, work: Work
) -> np.ndarray:
    """Like `windows.score_pixels`, for a network built with `sliding=True`.

    sides: the patch side N, and the side of what the network sees of a patch.
    predict: (B, rows, cols) -> (B, r, c), one value every 4 pixels.
    """
    half = sides[0] // 2
    rows, cols = pixels.shape
    # Every block is full size, so that the network is compiled once.
    padded = np.pad(pixels, [(half, half + BLOCK_PX), (half, half + BLOCK_PX)])
    scores = np.zeros(pixels.shape, np.float32)
    corners = [
        (row, col)
        for row in range(0, rows, BLOCK_PX)
        for col in range(0, cols, BLOCK_PX)
        if where[row : row + BLOCK_PX, col : col + BLOCK_PX].any()
    ]
    for done, (row, col) in enumerate(corners, 1):
        block = _block(padded, row, col, sides[1], predict)
        window = np.s_[row : row + BLOCK_PX, col : col + BLOCK_PX]
        target = scores[window]
        target[...] = block[: target.shape[0], : target.shape[1]]
        work.progress.report(done / len(corners), work.text)
    return np.where(where, scores, np.float32(0))


def _block(padded: np.ndarray, row: int, col: int, seen: int, predict: Predict) -> np.ndarray:
    extent = BLOCK_PX - STRIDE + seen
    shifts = [(down, right) for down in range(STRIDE) for right in range(STRIDE)]
    answers = predict(
        np.stack(
            [padded[row + d : row + d + extent, col + r : col + r + extent] for d, r in shifts]
        )
    )
    block = np.empty((BLOCK_PX, BLOCK_PX), np.float32)
    for (down, right), answer in zip(shifts, answers, strict=True):
        block[down::STRIDE, right::STRIDE] = answer
    return block
