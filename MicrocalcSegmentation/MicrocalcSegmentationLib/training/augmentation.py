"""Variations of patches: turned by any angle, flipped, and as other units would show them.

Patches are in local deviations above the local mean, so grey levels are gone already. What
still differs between vendors, and between digital images and film, is how sharp the image
is, how noisy, how fine its grain, and how its tone curve treats what stands out.
"""

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


def reach_of(half: int) -> int:
    """Pixels around the centre that a square of 2 half + 1 may need when it is turned."""
    return int(np.ceil(np.sqrt(2) * half)) + 2  # cubic interpolation needs two more


def turned_offsets(offsets_rc: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """(n, 2) offsets from the centre after turning by degrees (n,), before quarter turns."""
    angle = np.deg2rad(degrees)
    row, col = offsets_rc.T
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * row + sin * col, -sin * row + cos * col], axis=1)


def turned(squares: np.ndarray, half: int, orientations: Orientations) -> np.ndarray:
    """(n, 2 half + 1, 2 half + 1) float32 out of squares around the same centres.

    squares: float32 with `reach_of(half)` pixels around their centres, so that no corner is
    empty.
    """
    side = 2 * half + 1
    reach = squares.shape[1] // 2
    out = np.empty((len(squares), side, side), np.float32)
    middle = slice(reach - half, reach + half + 1)
    keys = np.stack([orientations.degrees, orientations.quarters, orientations.flipped], axis=1)
    for degrees, quarters, flipped in np.unique(keys, axis=0):
        members = np.flatnonzero((keys == (degrees, quarters, flipped)).all(axis=1))
        if degrees:
            flat = squares[members].reshape(len(members), -1)
            part = (_turning(reach, half, int(degrees)) @ flat.T).T.reshape(-1, side, side)
        else:
            part = squares[members, middle, middle]
        part = np.rot90(part, quarters, (1, 2))
        out[members] = part[:, ::-1] if flipped else part
    return out


def varied(patches: np.ndarray, rng: np.random.Generator, augmentation: Augmentation) -> np.ndarray:
    """The patches, (n, side, side) float32, with contrast, sharpness and noise varied, in place.

    What is exactly 0 lies outside the breast and stays 0.
    """
    count = len(patches)
    inside = patches != 0
    gain = augmentation.gain ** rng.uniform(-1, 1, (count, 1, 1))
    curve = rng.uniform(-augmentation.curve, augmentation.curve, (count, 1, 1))
    height = np.abs(patches)
    patches *= (gain * (1 + curve)).astype(np.float32) - (gain * curve).astype(np.float32) * (
        4 / (4 + height)
    )
    chosen = np.flatnonzero(rng.random(count) < augmentation.sharpened)
    amount = rng.uniform(augmentation.softest, augmentation.sharpest, (len(chosen), 1, 1))
    part = patches[chosen]
    patches[chosen] = part + amount.astype(np.float32) * (part - _binomial(part))
    chosen = np.flatnonzero(rng.random(count) < augmentation.noisy)
    noise = rng.standard_normal((len(chosen), *patches.shape[1:]), np.float32)
    grainy = rng.random(len(chosen)) < augmentation.grain
    noise[grainy] = _binomial(noise[grainy]) * np.float32(8 / 3)  # its deviation is 3/8
    strength = rng.uniform(0, augmentation.noise, (len(chosen), 1, 1)).astype(np.float32)
    patches[chosen] += strength * noise
    patches *= inside
    return patches


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
    """Blurred by 1 2 1 each way, the border repeated."""
    padded = np.pad(patches, [(0, 0), (1, 1), (1, 1)], mode="edge")
    rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    return (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) * np.float32(1 / 16)


@lru_cache(2 * _DEGREES)
def _turning(reach: int, half: int, degrees: int) -> csr_matrix:
    """Cubic interpolation as a matrix: pixels of the turned square from those of the larger."""
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
