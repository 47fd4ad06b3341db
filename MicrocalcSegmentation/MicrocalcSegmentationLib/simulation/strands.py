"""Ligaments, ducts and vessels: which lines a breast holds, and how they run and join."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from .lines import Line
from .outline import CONVERGENCE_MM, GRID_MM, Outline

STEP_MM = 0.8
_LIGAMENTS_PER_CM2 = 5.5
_CELL_MM = 0.8  # two strands that come so near have met
_SHORTEST_MM = 5.0
_BRANCH_SHARE = 0.7  # of the ligaments begin on another
_JOIN_SHARE = 0.3  # of the meetings end in a joint; else one passes above the other
_JOINT_MM = 3.0  # over which width and depth become those of the other
_STRENGTH_CM, _TYPICAL_SIGMA_MM, _FINEST_MM = 0.117, 0.17, 0.06
_CALCIFIED_FROM_MM = 0.3  # radius of lines that vessels' calcifications may lie on


def breast_lines(shape: Outline, busyness: float, rng) -> list[Line]:
    """All lines of one breast. busyness: 1 for a common breast, 0.3 few, 2 many."""
    area_cm2 = float(np.count_nonzero(shape.to_air_mm > 0)) * GRID_MM**2 / 100
    return [
        *ligaments(shape, rng.poisson(area_cm2 * _LIGAMENTS_PER_CM2 * busyness), rng),
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
    count = max(4, int(length_mm / STEP_MM))
    turning = gaussian_filter1d(rng.normal(0, 1, count + 1), 6, mode="reflect")[1:]
    turning = bend * (rng.normal() + turning / 0.2)  # 0.2 is what the filter leaves of 1
    heading = heading + np.cumsum(turning) * STEP_MM
    steps = np.stack([np.sin(heading), np.cos(heading)], axis=1) * STEP_MM
    steps[0] = 0
    return np.asarray(start) + np.cumsum(steps, axis=0)


class _Web:
    """Where strands run so far, in cells, so that later ones can begin and end on them."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._at: dict[tuple[int, int], tuple[int, int]] = {}

    def add(self, line: Line) -> None:
        for index, cell in enumerate(_cells(line.path_mm)):
            self._at.setdefault(cell, (len(self.lines), index))
        self.lines.append(line)

    def somewhere(self, rng) -> tuple[int, int]:
        """The number of a strand and an index of its path."""
        number = int(rng.integers(len(self.lines)))
        return number, int(rng.integers(1, len(self.lines[number].path_mm)))

    def meeting(self, path: np.ndarray, rng) -> tuple[int, tuple[int, int]] | None:
        """The first of the strands that a path comes upon and does not pass.

        Returns the path's index there and the strand's number and index; None if there is none.
        """
        first = int(_SHORTEST_MM / STEP_MM)
        for index, cell in enumerate(_cells(path[first:]), first):
            if cell in self._at and rng.random() < _JOIN_SHARE:
                return index, self._at[cell]
        return None


def _cells(path: np.ndarray) -> list[tuple[int, int]]:
    return list(map(tuple, np.floor(path / _CELL_MM).astype(int).tolist()))


@dataclass(frozen=True)
class _End:
    """Radius and strength that a strand has where it meets another; 0 at a free end."""

    sigma_mm: float = 0.0
    strength: float = 0.0


def ligaments(shape: Outline, count: int, rng) -> list[Line]:
    """Septa of fat lobules: arcs of some centimetres that branch off one another and join.

    Loosely along the lines of the gland; wide and narrow in turns, finer than what they
    branch from, run out at free ends and widen into joints.
    """
    web = _Web()
    for number in range(count):
        if number and rng.random() < _BRANCH_SHARE:
            start, heading, begin = _branching(web, rng)
            sigma = begin.sigma_mm * rng.uniform(0.5, 1.0)
            crest = begin.strength * rng.uniform(0.6, 1.1)
        else:
            start, begin = _place_in(shape, rng), _End()
            spread = 0.5 if rng.random() < 0.7 else 1.2
            heading = _towards_nipple(shape, start) + rng.normal(0, spread)
            sigma = float(np.exp(rng.uniform(np.log(0.08), np.log(0.45))))
            # A sheet or a cylinder that is thicker is also deeper along the ray.
            thicker = (sigma / _TYPICAL_SIGMA_MM) ** 0.3
            crest = _STRENGTH_CM * thicker * rng.lognormal(0, 0.3)
        path = _curve(start, heading, rng.lognormal(2.9, 0.5), 0.05, rng)
        met, stop = web.meeting(path, rng), _End()
        if met is not None:
            index, (other, at) = met
            path = _bent_to(path[: index + 1], web.lines[other].path_mm[at])
            stop = _end_on(web.lines[other], at)
        web.add(_ligament(path, (max(sigma, _FINEST_MM), crest), (begin, stop), rng))
    return web.lines


def _branching(web: _Web, rng) -> tuple[np.ndarray, float, _End]:
    number, at = web.somewhere(rng)
    line = web.lines[number]
    along = float(np.arctan2(*(line.path_mm[at] - line.path_mm[at - 1])))
    return line.path_mm[at], along + rng.choice([-1, 1]) * rng.uniform(0.3, 1.0), _end_on(line, at)


def _end_on(line: Line, at: int) -> _End:
    return _End(float(line.sigma_mm[at]), float(line.strength[at]))


def _bent_to(path: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The path with its last steps drawn over to end on a point."""
    pull = np.clip(np.linspace(-len(path) / 6, 1, len(path)), 0, 1)[:, None]
    return path + pull**2 * (point - path[-1])


def _ligament(path: np.ndarray, middle: tuple[float, float], ends, rng) -> Line:
    """middle: radius in mm and strength between the ends."""
    width = middle[0] * _wave(len(path), 0.25, rng)
    depth = middle[1] * _wave(len(path), 0.35, rng)
    from_end_mm = np.arange(len(path)) * STEP_MM
    for end, distance_mm in zip(ends, (from_end_mm, from_end_mm[::-1]), strict=True):
        joined = end.sigma_mm > 0
        reach_mm = _JOINT_MM if joined else 0.45 * from_end_mm[-1]
        share = np.clip(distance_mm / reach_mm, 0, 1)
        # At a joint two strands lie on one another: each has half.
        depth = share * depth + (1 - share) * 0.5 * end.strength
        width = share * width + (1 - share) * (1.2 * end.sigma_mm if joined else 0.6 * width)
    return Line(path, width, depth)


def _wave(count: int, spread: float, rng) -> np.ndarray:
    """(count,) factors about 1 that come and go over some millimetres."""
    smooth = gaussian_filter1d(rng.normal(0, 1, count), 3, mode="reflect") / 0.29
    return np.exp(spread * smooth)


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
        _branch(lines, (start, heading, length), rng.uniform(0.4, 0.9), 0.24, rng)
    return lines


def _branch(lines: list[Line], stem, sigma: float, strength: float, rng) -> None:
    start, heading, length = stem
    path = _curve(start, heading, length, 0.016, rng)
    taper = np.linspace(1, 0.5, len(path))
    end = np.minimum(1, np.linspace(0, 12, len(path))[::-1])
    width = sigma * (0.4 + 0.6 * taper) * _wave(len(path), 0.06, rng)
    lines.append(Line(path, width, strength * rng.uniform(0.6, 1.3) * taper * end))
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
    widths = [float(np.median(line.sigma_mm)) for line in lines]
    wide = [
        (line, width)
        for line, width in zip(lines, widths, strict=True)
        if width > _CALCIFIED_FROM_MM and len(line.path_mm) > 20
    ]
    chosen = []
    for _ in range(count if wide else 0):
        line, width = wide[rng.integers(len(wide))]
        length = min(len(line.path_mm), int(rng.uniform(12, 50) / STEP_MM))
        first = rng.integers(0, len(line.path_mm) - length + 1)
        chosen.append((line.path_mm[first : first + length], 1.4 * width))
    return chosen
