"""Variations of patches: turned by any angle, flipped, and as other units would show them.

Patches are in local deviations above the local mean, so grey levels are gone already. What
still differs between vendors, and between digital images and film, is how sharp the image
is, how noisy, how fine its grain, and how its tone curve treats what stands out.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_matrix

from ..normalisation import FINE_SIGMA_MM
from ..settings import METHOD_SPACING_MM

_ORIENTATIONS = 8  # drawn for a minibatch; each serves an eighth of it
_DEGREES = 90  # finer than a quarter turn: whole degrees; quarter turns are exact
_CUBIC = -0.5  # Keys' kernel: passes through the pixels, and keeps their sharpness


@dataclass(frozen=True)
class Augmentation:
    """How far patches are varied; shares are of patches, limits are of a uniform draw.

    turned: share turned by whole degrees with cubic interpolation; the others are turned by
    quarters only, and keep their pixels, as at run time.
    gain: largest factor of contrast. curve: how much more, or less, what stands out by 4
    deviations is amplified than the texture: film's shoulder, vendors' contrast curves.
    sharpened, softest, sharpest: share, and how much of what a 3 x 3 binomial blur takes off
    is added again; negative imitates scanners and large focal spots, positive the edge
    enhancement of processed images.
    noisy, noise, grain: share, largest deviation of added noise, and the share of it that is
    correlated over 3 pixels as film grain is.
    """

    turned: float = 0.5
    gain: float = 1.25
    curve: float = 0.25
    sharpened: float = 0.4
    softest: float = -0.7
    sharpest: float = 1.2
    noisy: float = 0.3
    noise: float = 0.5
    grain: float = 0.5


@dataclass(frozen=True)
class Orientations:
    """One for each patch. degrees: 0 to 89. quarters: 0 to 3. flipped: bool."""

    degrees: np.ndarray
    quarters: np.ndarray
    flipped: np.ndarray


def draw_orientations(
    rng: np.random.Generator, count: int, augmentation: Augmentation
) -> Orientations:
    """Random orientations, of which there are few different ones, so that turning is quick."""
    which = rng.integers(_ORIENTATIONS, size=count)
    degrees = rng.integers(1, _DEGREES, _ORIENTATIONS)[which]
    degrees[rng.random(count) >= augmentation.turned] = 0
    quarters = rng.integers(4, size=_ORIENTATIONS)[which]
    return Orientations(degrees, quarters, rng.random(_ORIENTATIONS)[which] < 0.5)


def reach_of(half: int, degrees: int) -> int:
    """Pixels around the centre that a square of 2 half + 1 needs when it is turned by degrees."""
    if not degrees:
        return half
    angle = np.deg2rad(degrees)
    # Cubic interpolation needs two more.
    return int(np.ceil((np.cos(angle) + np.sin(angle)) * half)) + 2


@lru_cache(4 * _DEGREES)
def shown_by_turned(reach: int, half: int, degrees: int) -> np.ndarray:
    """(2 reach + 1, 2 reach + 1) bool: pixels whose centres the turned square covers."""
    offsets = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    places = turned_offsets(offsets, np.full(len(offsets), degrees))
    return (np.abs(places).max(axis=1) <= half).reshape(2 * reach + 1, -1)


def turned_offsets(offsets_rc: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """(n, 2) offsets from the centre after turning by degrees (n,), before quarter turns."""
    angle = np.deg2rad(degrees)
    row, col = offsets_rc.T
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * row + sin * col, -sin * row + cos * col], axis=1)


def turned(
    cut: Callable[[np.ndarray, int], np.ndarray], half: int, orientations: Orientations
) -> np.ndarray:
    """(n, 2 half + 1, 2 half + 1) float32.

    cut: (which of the n, reach) -> their squares, (k, 2 reach + 1, 2 reach + 1) float32. Few
    of one orientation are cut at once, with no more around them than `reach_of` says, so that
    no corner is empty and what is cut is turned while it is in the cache.
    """
    side = 2 * half + 1
    out = np.empty((len(orientations.degrees), side, side), np.float32)
    keys = (orientations.degrees * 4 + orientations.quarters) * 2 + orientations.flipped
    for key in np.unique(keys).tolist():
        degrees, quarters, flipped = key // 8, key // 2 % 4, key % 2
        members = np.flatnonzero(keys == key)
        part = cut(members, reach_of(half, degrees))
        if degrees:
            flat = part.reshape(len(members), -1)
            part = (_turning(half, degrees) @ flat.T).T.reshape(-1, side, side)
        part = np.rot90(part, quarters, (1, 2))
        out[members] = part[:, ::-1] if flipped else part
    return out


def varied(patches: np.ndarray, rng: np.random.Generator, augmentation: Augmentation) -> np.ndarray:
    """The patches, (n, side, side) float32, with contrast, sharpness and noise varied, in place.

    What is exactly 0 lies outside the breast and stays 0.
    """
    count = len(patches)
    outside = patches == 0
    gain = augmentation.gain ** rng.uniform(-1, 1, count)
    _curve(patches, gain, rng.uniform(-augmentation.curve, augmentation.curve, count))
    chosen = np.flatnonzero(rng.random(count) < augmentation.sharpened)
    part = patches[chosen]
    taken_off = part - _binomial(part)
    taken_off *= _each(rng.uniform(augmentation.softest, augmentation.sharpest, len(chosen)))
    part += taken_off
    patches[chosen] = part
    chosen = np.flatnonzero(rng.random(count) < augmentation.noisy)
    noise = rng.standard_normal((len(chosen), *patches.shape[1:]), np.float32)
    grainy = rng.random(len(chosen)) < augmentation.grain
    noise[grainy] = _binomial(noise[grainy]) * np.float32(8 / 3)  # its deviation is 3/8
    noise *= _each(rng.uniform(0, augmentation.noise, len(chosen)))
    patches[chosen] += noise
    np.copyto(patches, 0, where=outside)
    return patches


def _curve(patches: np.ndarray, gain: np.ndarray, curve: np.ndarray) -> None:
    """Contrast times gain (n,), and what stands out by curve (n,) more than that. In place.

    A patch times gain (1 + curve) - gain curve 4 / (4 + its height), without a temporary for
    each step.
    """
    factor = np.abs(patches)
    factor += 4
    np.divide(4, factor, out=factor)
    factor *= _each(gain * curve)
    np.subtract(_each(gain * (1 + curve)), factor, out=factor)
    patches *= factor


def _each(values: np.ndarray) -> np.ndarray:
    """One float32 for each patch."""
    return values.astype(np.float32)[:, None, None]


def as_of_other_units(
    patches: np.ndarray, rng: np.random.Generator, augmentation: Augmentation
) -> np.ndarray:
    """`varied`, and then in deviations of the texture that each patch shows now.

    A whole image whose noise or sharpness were changed would be normalised afterwards, so
    that stronger noise leaves its MCs lower. In place.
    """
    before = _fine_deviation(patches)
    varied(patches, rng, replace(augmentation, gain=1.0))
    ratio = before / np.maximum(_fine_deviation(patches), 1e-6)
    ratio *= augmentation.gain ** rng.uniform(-1, 1, len(patches))
    patches *= ratio.astype(np.float32)[:, None, None]
    return patches


def _fine_deviation(patches: np.ndarray) -> np.ndarray:
    """(n,) mean absolute difference from what is 0.25 mm smoother, within the breast."""
    sigma = FINE_SIGMA_MM / METHOD_SPACING_MM
    inside = patches != 0
    fine = np.abs(patches - gaussian_filter(patches, (0, sigma, sigma), truncate=2.0)) * inside
    return fine.sum((1, 2)) / np.maximum(inside.sum((1, 2)), 1)


def _binomial(patches: np.ndarray) -> np.ndarray:
    """Blurred by 1 2 1 each way, the border repeated.

    As one line of values, so that numpy takes them in one go and not row by row: what is
    added up over the end of a row or a patch is of their borders, and is cut off.
    """
    count, rows, cols = patches.shape
    padded = np.empty((count, rows + 2, cols + 2), patches.dtype)
    padded[:, 1:-1, 1:-1] = patches
    padded[:, [0, -1], 1:-1] = patches[:, [0, -1]]
    padded[:, :, [0, -1]] = padded[:, :, [1, -2]]
    line = padded.reshape(-1)
    down = _one_two_one(line, cols + 2)
    blurred = np.empty_like(line)
    blurred[: len(down) - 2] = _one_two_one(down, 1)
    blurred[: len(down) - 2] *= np.float32(1 / 16)
    return blurred.reshape(padded.shape)[:, :rows, :cols]


def _one_two_one(line: np.ndarray, step: int) -> np.ndarray:
    """1 2 1 of values `step` apart, where there are three."""
    total = 2 * line[step:-step]
    total += line[: -2 * step]
    total += line[2 * step :]
    return total


@lru_cache(2 * _DEGREES)
def _turning(half: int, degrees: int) -> csr_matrix:
    """Cubic interpolation as a matrix: pixels of the turned square from those of the larger."""
    reach = reach_of(half, degrees)
    size, side = 2 * reach + 1, 2 * half + 1
    offsets = np.mgrid[-half : half + 1, -half : half + 1].reshape(2, -1).T
    # Where an output pixel comes from: the turn undone.
    source = turned_offsets(offsets, np.full(len(offsets), -float(degrees))) + reach
    first = np.floor(source).astype(int) - 1
    weights, places = [], []
    for down in range(4):
        for right in range(4):
            at = first + np.array([down, right])
            distance = np.abs(source - at)
            weights.append(_keys(distance[:, 0]) * _keys(distance[:, 1]))
            places.append(at[:, 0] * size + at[:, 1])
    rows = np.tile(np.arange(side * side), 16)
    matrix = csr_matrix(
        (np.concatenate(weights).astype(np.float32), (rows, np.concatenate(places))),
        shape=(side * side, size * size),
    )
    matrix.sort_indices()
    return matrix


def _keys(distance: np.ndarray) -> np.ndarray:
    """Cubic convolution weights (Keys 1981)."""
    near = (_CUBIC + 2) * distance**3 - (_CUBIC + 3) * distance**2 + 1
    far = _CUBIC * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0))
