"""Ligaments, ducts and vessels: long soft lines, drawn at any fineness."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from ..resampling import resize, wide_blur
from .outline import CONVERGENCE_MM, GRID_MM, Outline

STEP_MM = 0.8
_SIGMA_LEVELS_MM = (0.06, 0.1, 0.17, 0.28, 0.46, 0.76)


@dataclass(frozen=True)
class Line:
    """path_mm: (n, 2) points (down, out). sigma_mm: Gaussian radius of its profile.

    strength: along the path, (n,) cm of gland-like depth at the crest.
    """

    path_mm: np.ndarray
    sigma_mm: float
    strength: np.ndarray


def breast_lines(shape: Outline, busyness: float, rng) -> list[Line]:
    """All lines of one breast. busyness: 1 for a common breast, 0.3 few, 2 many."""
    area_cm2 = float(np.count_nonzero(shape.to_air_mm > 0)) * GRID_MM**2 / 100
    return [
        *_ligaments(shape, rng.poisson(area_cm2 * 4 * busyness), rng),
        *_bundles(shape, rng.poisson(area_cm2 * 0.25 * busyness), rng),
        *_ducts(shape, rng.integers(3, 9), rng),
        *_vessels(shape, rng.integers(2, 7), rng),
    ]


def _towards_nipple(shape: Outline, place) -> float:
    down = shape.nipple_mm[0] - place[0]
    out = shape.nipple_mm[1] + CONVERGENCE_MM - place[1]
    return float(np.arctan2(down, out))


def _place_in(shape: Outline, rng, margin_mm: float = 1.0) -> np.ndarray:
    for _ in range(50):
        place = rng.uniform(0, 1, 2) * shape.to_air_mm.shape
        if shape.to_air_mm[int(place[0]), int(place[1])] > margin_mm:
            break
    return place * GRID_MM


def _curve(start, heading: float, length_mm: float, bend: float, rng) -> np.ndarray:
    """(n, 2) points of a line that turns slowly; bend: how much, in radians per mm."""
    count = max(3, int(length_mm / STEP_MM))
    turning = np.cumsum(rng.normal(0, bend * np.sqrt(STEP_MM / 10), count)) + rng.normal(0, bend)
    heading = heading + np.cumsum(turning) * STEP_MM
    steps = np.stack([np.sin(heading), np.cos(heading)], axis=1) * STEP_MM
    return np.asarray(start) + np.cumsum(steps, axis=0)


def _fading(count: int, rng) -> np.ndarray:
    """Strength along a line: ends run out, the middle comes and goes."""
    along = np.linspace(0, 1, count)
    wave = 1 + 0.5 * np.sin(2 * np.pi * (rng.uniform(0.5, 2) * along + rng.random()))
    return wave * np.minimum(1, 4 * np.minimum(along, 1 - along) + 0.05)


def _ligaments(shape: Outline, count: int, rng) -> list[Line]:
    """Septa of fat lobules, a few centimetres long, loosely along the lines of the gland."""
    lines = []
    for _ in range(count):
        place = _place_in(shape, rng)
        spread = 0.35 if rng.random() < 0.8 else 0.9
        heading = _towards_nipple(shape, place) + rng.normal(0, spread)
        path = _curve(place, heading, rng.lognormal(2.6, 0.6), 0.024, rng)
        sigma = float(np.exp(rng.uniform(np.log(0.07), np.log(0.4))))
        strength = 0.1 * rng.lognormal(0, 0.5)
        lines.append(Line(path, sigma, strength * _fading(len(path), rng)))
    return lines


def _bundles(shape: Outline, count: int, rng) -> list[Line]:
    """Fine parallel striations."""
    lines = []
    for _ in range(count):
        place = _place_in(shape, rng)
        heading = _towards_nipple(shape, place) + rng.normal(0, 0.3)
        across = np.array([np.cos(heading), -np.sin(heading)])
        gap, sigma = rng.uniform(0.6, 2.5), rng.uniform(0.07, 0.25)
        strength = 0.072 * rng.lognormal(0, 0.4)
        bend = rng.uniform(0.006, 0.025)
        for number in range(rng.integers(4, 14)):
            start = place + across * gap * (number + rng.normal(0, 0.3)) + rng.normal(0, 3, 2)
            path = _curve(start, heading + rng.normal(0, 0.07), rng.uniform(8, 25), bend, rng)
            lines.append(Line(path, sigma, strength * _fading(len(path), rng)))
    return lines


def _ducts(shape: Outline, count: int, rng) -> list[Line]:
    """Trees that open from behind the nipple."""
    lines = []
    for _ in range(count):
        start = np.array(shape.nipple_mm) - (rng.normal(0, 3), rng.uniform(3, 10))
        heading = np.pi + rng.normal(0, 0.45)
        length = rng.uniform(0.3, 0.7) * shape.nipple_mm[1]
        _branch(lines, (start, heading, length), rng.uniform(0.25, 0.55), 0.15, rng)
    return lines


def _vessels(shape: Outline, count: int, rng) -> list[Line]:
    """Long vessels that run under the skin and through the breast, branching once or twice."""
    lines = []
    for _ in range(count):
        place = _place_in(shape, rng, 4)
        start = np.array([place[0] + rng.normal(0, 8), -2.0])
        heading = np.arctan2(shape.nipple_mm[0] - start[0], shape.nipple_mm[1]) * 0.6
        heading += rng.normal(0, 0.3)
        length = rng.uniform(0.5, 0.95) * shape.nipple_mm[1]
        _branch(lines, (start, heading, length), rng.uniform(0.35, 0.75), 0.22, rng)
    return lines


def _branch(lines: list[Line], stem, sigma: float, strength: float, rng) -> None:
    start, heading, length = stem
    path = _curve(start, heading, length, 0.012, rng)
    taper = np.linspace(1, 0.5, len(path)) * np.minimum(1, np.linspace(0, 12, len(path))[::-1])
    lines.append(Line(path, sigma, strength * rng.uniform(0.6, 1.3) * taper))
    if sigma < 0.2:
        return
    for _ in range(rng.integers(0, 3)):
        at = int(rng.uniform(0.25, 0.85) * len(path))
        step = path[min(at + 1, len(path) - 1)] - path[at - 1]
        turned = np.arctan2(*step) + rng.choice([-1, 1]) * rng.uniform(0.25, 0.8)
        stem = (path[at], float(turned), length * rng.uniform(0.3, 0.6))
        _branch(lines, stem, sigma * rng.uniform(0.5, 0.8), strength * 0.8, rng)


def vascular_paths(lines: list[Line], rng, count: int) -> list[tuple[np.ndarray, float]]:
    """Pieces of the widest lines, (path_mm, radius_mm), for calcified vessel walls."""
    wide = [line for line in lines if line.sigma_mm > 0.3 and len(line.path_mm) > 20]
    chosen = []
    for _ in range(count if wide else 0):
        line = wide[rng.integers(len(wide))]
        length = min(len(line.path_mm), int(rng.uniform(12, 50) / STEP_MM))
        first = rng.integers(0, len(line.path_mm) - length + 1)
        chosen.append((line.path_mm[first : first + length], 1.4 * line.sigma_mm))
    return chosen


def draw_lines(
    lines: list[Line], corner_mm: tuple[float, float], shape: tuple[int, int], spacing_mm: float
) -> np.ndarray:
    """(rows, cols) float32 cm of gland-like depth of the lines in a window of the breast.

    corner_mm: the window's first corner. Lines are drawn by width, wide ones coarsely.
    """
    total = np.zeros(shape, np.float32)
    for number, level in enumerate(_SIGMA_LEVELS_MM):
        these = [line for line in lines if _level_of(line) == number]
        if not these:
            continue
        pixel_mm = max(spacing_mm, level / 2.2)
        canvas_shape = tuple(int(np.ceil(size * spacing_mm / pixel_mm)) for size in shape)
        canvas = Image.new("F", canvas_shape[::-1])
        pen = ImageDraw.Draw(canvas)
        for line in these:
            _draw_path(pen, line, (corner_mm, pixel_mm, canvas_shape))
        sigma = max(level / pixel_mm, 0.7)
        # A line one pixel wide, blurred in two dimensions, peaks at 1 / (sqrt(2 pi) sigma).
        crest = np.float32(np.sqrt(2 * np.pi) * sigma)
        blurred = wide_blur(np.asarray(canvas), sigma)
        blurred *= crest
        total += resize(blurred, shape)
    return total


def _level_of(line: Line) -> int:
    distances = np.abs(np.log(line.sigma_mm / np.asarray(_SIGMA_LEVELS_MM)))
    return int(distances.argmin())


def _draw_path(pen, line: Line, grid) -> None:
    corner_mm, pixel_mm, shape = grid
    points = (line.path_mm - corner_mm) / pixel_mm
    near = ((points > -20) & (points < np.asarray(shape) + 20)).all(axis=1)
    if not near.any():
        return
    for index in range(len(points) - 1):
        if near[index] or near[index + 1]:
            (r0, c0), (r1, c1) = points[index], points[index + 1]
            pen.line([(c0, r0), (c1, r1)], fill=float(line.strength[index]), width=1)
