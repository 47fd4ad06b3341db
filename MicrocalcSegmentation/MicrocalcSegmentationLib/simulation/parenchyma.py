"""Gland within fat: how much of each ray passes through glandular tissue.

The depth of the breast is cut into slabs. In each a random field, drawn out towards the
nipple as ducts and lobes are, divides gland from fat; projected on one another the slabs
give the overlapping clouds, holes and edges of a mammogram.
"""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from ..resampling import resize
from .outline import CONVERGENCE_MM, GRID_MM, Outline
from .texture import coloured_noise

DENSITIES = ("A", "B", "C", "D")  # BI-RADS: almost fatty to extremely dense
_MEAN_SHARE = {"A": (0.03, 0.08), "B": (0.08, 0.22), "C": (0.22, 0.48), "D": (0.45, 0.75)}
_CANVAS_MM = 0.25
_BEND_MM, _BEND_LENGTH_MM = (1.0, 2.5), 30.0  # deviation and length of the bends
_BENDS_EVERY = 8  # of the grid's points


def gland_share(shape: Outline, density: str, rng) -> np.ndarray:
    """(rows, cols) float32 in 0..1: gland's share of the inner depth at each point."""
    frame = Frame(shape)
    slabs = int(rng.integers(5, 10))
    bias = _envelope(shape, rng)
    softness = rng.uniform(0.3, 0.9)
    stretch = rng.uniform(1.0, 1.6)
    roughness = rng.uniform(3.95, 4.55)
    heights = [
        frame.field((1.5, roughness, 0.08), stretch, rng) + bias + rng.normal(0, 0.25)
        for _ in range(slabs)
    ]
    wanted = rng.uniform(*_MEAN_SHARE[density])
    inner = shape.to_air_mm > 5
    level = _level_for(wanted, [height[inner][::40] for height in heights], softness)
    total = np.zeros(shape.to_air_mm.shape, np.float32)
    for height in heights:
        # Gland is itself mixed with fat, more so where the field only just reaches it.
        filled = np.clip(0.4 + 0.25 * (height - level), 0.2, 1)
        total += _step(height - level, softness) * filled
    return total / slabs


def _step(height: np.ndarray, softness: float) -> np.ndarray:
    return 1 / (1 + np.exp(np.clip(-height / (softness * 0.5), -30, 30)))


def _level_for(share: float, heights: list[np.ndarray], softness: float) -> float:
    """The threshold that leaves this mean share above it, by bisection."""
    low, high = -6.0, 8.0
    for _ in range(30):
        middle = (low + high) / 2
        above = np.mean([_step(height - middle, softness).mean() for height in heights])
        low, high = (middle, high) if above > share else (low, middle)
    return (low + high) / 2


def _envelope(shape: Outline, rng) -> np.ndarray:
    """Where gland is likely: behind the nipple, away from skin and chest wall."""
    rows, cols = shape.to_air_mm.shape
    down = (np.arange(rows, dtype=np.float32)[:, None] + 0.5) * GRID_MM
    out = (np.arange(cols, dtype=np.float32)[None] + 0.5) * GRID_MM
    reach = shape.nipple_mm[1]
    behind = (reach - out) / reach
    axis = shape.nipple_mm[0] - (out * 0 + behind) * rng.uniform(-0.1, 0.35) * reach
    width = reach * (0.25 + rng.uniform(0.3, 0.8) * behind)
    beside = (down - axis) / np.maximum(width, 5)
    fat_layer = rng.uniform(4, 14)  # under the skin
    bias = -1.2 * np.abs(beside) ** 2
    bias -= 3 * np.exp(-np.clip(shape.to_air_mm, 0, None) / fat_layer)
    bias -= rng.uniform(0, 2.5) * np.clip((behind - rng.uniform(0.4, 0.8)) * 2, 0, 1)
    return np.maximum(bias, -5).astype(np.float32)


def _bends_mm(shape: tuple[int, int], rng) -> np.ndarray:
    """(rows, cols) float32: by how much tissue has shifted, smooth over some centimetres."""
    coarse = tuple(size // _BENDS_EVERY + 2 for size in shape)
    bends = coloured_noise(coarse, _BENDS_EVERY * GRID_MM, (0.5, 6.0, 1 / _BEND_LENGTH_MM), rng)
    return rng.uniform(*_BEND_MM) * resize(bends, shape)


class Frame:
    """Coordinates along and across the lines that run to a point beyond the nipple."""

    def __init__(self, shape: Outline):
        rows, cols = shape.to_air_mm.shape
        down = (np.arange(rows, dtype=np.float32)[:, None] + 0.5) * GRID_MM - shape.nipple_mm[0]
        out = shape.nipple_mm[1] + CONVERGENCE_MM - (np.arange(cols)[None] + 0.5) * GRID_MM
        out = np.maximum(out, 1).astype(np.float32)
        distance = np.hypot(down, out)
        across = np.arctan2(down, out) * np.float32(0.8 * (shape.nipple_mm[1] + CONVERGENCE_MM))
        self._along = (distance - distance.min()) / _CANVAS_MM
        self._across = (across - across.min()) / _CANVAS_MM

    def field(self, exponents, stretch: float, rng) -> np.ndarray:
        """Noise of deviation 1, its structures `stretch` times as long as wide.

        They are bent, each field's otherwise: else all tissue would run in streaks.
        """
        places = [
            np.maximum(place + _bends_mm(place.shape, rng) / _CANVAS_MM, 0)
            for place in (self._along, self._across)
        ]
        size = tuple(int(place.max()) + 3 for place in places)
        canvas = coloured_noise(size, _CANVAS_MM, exponents, rng, (stretch, np.pi / 2))
        return map_coordinates(canvas, places, order=1, mode="nearest")


def muscle_share(shape: Outline, rng) -> np.ndarray:
    """(rows, cols) float32 in 0..1: the pectoral muscle's share of the depth.

    In the oblique view a wedge from the upper corner, its edge straight or bulging; in the
    craniocaudal one at most a low rim at the chest wall.
    """
    rows, cols = shape.to_air_mm.shape
    down = (np.arange(rows, dtype=np.float32)[:, None] + 0.5) * GRID_MM
    out = (np.arange(cols, dtype=np.float32)[None] + 0.5) * GRID_MM
    height = rows * GRID_MM
    if shape.view == "CC":
        if rng.random() > 0.25:
            return np.zeros((rows, cols), np.float32)
        middle, half = height * rng.uniform(0.4, 0.6), rng.uniform(20, 60)
        edge = rng.uniform(2, 9) * np.clip(1 - ((down - middle) / half) ** 2, 0, None)
    else:
        length = height * rng.uniform(0.4, 0.75)
        width = shape.depth_mm[:50].mean() * rng.uniform(0.5, 0.8)
        along = np.clip(1 - down / length, 0, None)
        edge = width * (along + rng.uniform(-0.1, 0.35) * along * (1 - along))
    wave = np.sin(down / rng.uniform(15, 40) + rng.uniform(0, 6))
    edge = edge + wave * 0.8 * (edge > 0)
    share = np.clip((edge - out) / rng.uniform(1.5, 5.0), 0, 1) * rng.uniform(0.2, 0.55)
    fibres = coloured_noise((rows, cols), GRID_MM, (2.2, 3.2, 0.3), rng, (6.0, np.pi / 2 + 0.45))
    return np.clip(share * (1 + 0.03 * fibres), 0, 1).astype(np.float32)


def lesions_cm(shape: Outline, rng) -> np.ndarray:
    """(rows, cols) float32, cm of gland-like depth of masses and lymph nodes, mostly none."""
    total = np.zeros(shape.to_air_mm.shape, np.float32)
    room = np.argwhere(shape.to_air_mm[::20, ::20] > 12) * 20
    if len(room) == 0:
        return total
    if rng.random() < 0.25:
        place = room[rng.integers(len(room))]
        _add_mass(total, place, rng)
    if shape.view == "MLO":
        upper = room[room[:, 0] < 0.25 * total.shape[0]]
        for _ in range(rng.poisson(0.8) if len(upper) else 0):
            _add_node(total, upper[rng.integers(len(upper))], rng)
    return total


def _add_mass(total: np.ndarray, place, rng) -> None:
    """An oval with a lobed rim: sharp or blurred into its surroundings."""
    radius = rng.uniform(3, 12) / GRID_MM
    window, r, c = _around(total.shape, place, 2.2 * radius)
    angle = np.arctan2(r, c)
    lobes = 1 + sum(rng.normal(0, 0.12) * np.cos(k * angle + rng.uniform(0, 6)) for k in (2, 3, 5))
    distance = np.hypot(r, c * rng.uniform(1, 1.5)) / (radius * lobes)
    depth = np.sqrt(np.clip(1 - distance**2, 0, None)) * 2 * radius * GRID_MM / 10
    blurred = gaussian_filter(depth, rng.uniform(0.3, 2.0) / GRID_MM)
    total[window] += rng.uniform(0.15, 0.5) * blurred.astype(np.float32)


def _add_node(total: np.ndarray, place, rng) -> None:
    """A bean with a fatty middle."""
    radius = rng.uniform(3, 8) / GRID_MM
    window, r, c = _around(total.shape, place, 1.6 * radius)
    turn, ratio = rng.uniform(0, np.pi), rng.uniform(1.2, 2)
    u, v = np.cos(turn) * r + np.sin(turn) * c, -np.sin(turn) * r + np.cos(turn) * c

    def oval(size):
        return np.sqrt(np.clip(1 - (u / size) ** 2 - (v * ratio / size) ** 2, 0, None)) * size

    depth = (oval(radius) - rng.uniform(0.4, 0.9) * oval(0.6 * radius)) * 2 * GRID_MM / 10
    total[window] += rng.uniform(0.3, 0.7) * gaussian_filter(depth, 2).astype(np.float32)


def _around(shape: tuple[int, int], place, reach: float):
    """A window around a place, and row and column offsets from it."""
    starts = [max(0, int(p - reach)) for p in place]
    stops = [min(size, int(p + reach) + 1) for p, size in zip(place, shape, strict=True)]
    window = tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))
    offsets = [np.arange(a, b) - p for a, b, p in zip(starts, stops, place, strict=True)]
    return window, offsets[0][:, None].astype(float), offsets[1][None].astype(float)
