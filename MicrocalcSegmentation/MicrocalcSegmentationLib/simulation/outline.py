"""The compressed breast's outline and thickness, on a coarse grid of millimetres.

Everything here is drawn for a left breast: chest wall along the first column, the outside
to the right.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.ndimage import distance_transform_edt, gaussian_filter

GRID_MM = 0.2  # of every field that has nothing finer than half a millimetre
VIEWS = ("CC", "MLO")
CONVERGENCE_MM = 70.0  # beyond the nipple, where the lines of the gland would meet
LEVELLED = 0.5  # of the thickness, how much a unit makes up for; the outermost rim fades


@dataclass(frozen=True)
class Outline:
    """view: "CC" or "MLO". depth_mm: (rows,) how far the breast reaches from the chest wall.

    to_air_mm: (rows, cols) float32, distance to the skin, negative outside.
    nipple_mm: (down, out). thickness_mm: between the paddles, in the middle of the image.
    tilt: (down, out) relative change of thickness from one end of the image to the other,
    for paddles bend.
    """

    view: str
    depth_mm: np.ndarray
    to_air_mm: np.ndarray
    nipple_mm: tuple[float, float]
    thickness_mm: float
    tilt: tuple[float, float] = (0.0, 0.0)


def outline(view: str, size_mm: tuple[float, float], rng) -> Outline:
    """A breast that fits a detector of (height, width) mm, some larger than its height."""
    rows, cols = (int(np.ceil(size / GRID_MM)) for size in size_mm)
    down = (np.arange(rows) + 0.5) * GRID_MM
    draw = _cc_depth if view == "CC" else _mlo_depth
    depth, nipple_down = draw(down, size_mm, rng)
    for _ in range(4):
        wave = rng.uniform(15, 60)
        depth += np.sin(2 * np.pi * (down / wave + rng.random())) * wave / 60 * rng.uniform(0, 0.5)
    depth = np.minimum(depth, size_mm[1] - rng.uniform(4, 12))
    nipple_out = float(np.interp(nipple_down, down, depth))
    outwards = (np.arange(cols) + 0.5) * GRID_MM
    inside = outwards[None] < depth[:, None]
    inside |= _nipple_bump(down, outwards, (nipple_down, nipple_out), rng)
    thickness_mm, tilt = rng.uniform(32, 68), (rng.uniform(-0.15, 0.15), rng.uniform(-0.35, 0.05))
    nipple_mm = (nipple_down, nipple_out)
    return Outline(view, depth, _signed_distance(inside), nipple_mm, thickness_mm, tilt)


def _signed_distance(inside: np.ndarray) -> np.ndarray:
    # The breast goes on behind the chest wall and past the film's ends: no skin there.
    padded = np.pad(inside, ((60, 60), (60, 0)), mode="edge")
    within = (distance_transform_edt(padded) - distance_transform_edt(~padded)).astype(np.float32)
    # The skin is smooth where the grid makes steps.
    return gaussian_filter(within, 3)[60:-60, 60:] * np.float32(GRID_MM)


def _cc_depth(down, size_mm, rng) -> tuple[np.ndarray, float]:
    height, width = size_mm
    half = rng.uniform(0.30, 0.52) * height
    centre = height * rng.uniform(0.46, 0.54)
    reach = min(width * rng.uniform(0.35, 0.85), half * rng.uniform(0.8, 1.35))
    skew = rng.uniform(-0.12, 0.12)
    across = (down - centre) / half
    across = np.clip(across - skew * (1 - across**2), -1, 1)
    depth = reach * (1 - across**2) ** rng.uniform(0.42, 0.62)
    # Towards the chest wall the skin runs out into the side of the body.
    beyond = np.clip(np.abs(down - centre) - 0.93 * half, 0, None)
    flank = rng.uniform(0.1, 0.25) * reach * np.exp(-beyond / rng.uniform(6, 25)) - 2
    depth = np.where(beyond > 0, np.logaddexp(depth, flank), depth)
    return depth, centre + skew * half * 0.5


def _mlo_depth(down, size_mm, rng) -> tuple[np.ndarray, float]:
    height, width = size_mm
    reach = min(width * rng.uniform(0.45, 0.88), height * 0.55)
    nipple = rng.uniform(0.52, 0.66)
    fold = rng.uniform(0.84, 0.95)
    shares = [0, 0.28, nipple - 0.12, nipple, nipple + 0.13, fold, fold + 0.05, 1.1]
    depths = [
        rng.uniform(0.45, 0.8),
        rng.uniform(0.62, 0.85),
        rng.uniform(0.93, 0.97),
        1.0,
        rng.uniform(0.84, 0.93),
        rng.uniform(0.18, 0.35),
        rng.uniform(0.1, 0.2),
        rng.uniform(0.1, 0.25),
    ]
    along = np.asarray(shares) * height
    depth = PchipInterpolator(along, np.asarray(depths) * reach)(down)
    rounded = CubicSpline(down[::150], depth[::150])(down)
    return rounded, nipple * height


def _nipple_bump(down, outwards, centre, rng) -> np.ndarray:
    """A nipple in profile on two breasts of three; else it lies within the outline."""
    if rng.random() > 0.67:
        return np.zeros((len(down), len(outwards)), bool)
    radius, length = rng.uniform(3.5, 6.5), rng.uniform(2, 8)
    along = (down[:, None] - centre[0]) / radius
    out = (outwards[None] - centre[1]) / length
    return (np.abs(along) ** 3 + np.clip(out, 0, None) ** 2.5 < 1) & (out > -2)


def depths_cm(shape: Outline, skin_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """(inner tissue, skin) along each ray in cm; the free edge is half a cylinder.

    A ray near the edge passes much skin and little else: hence the bright skin line.
    """
    radius = shape.thickness_mm / 2
    inward = np.clip(shape.to_air_mm, 0, radius)
    whole = _chord(radius, inward)
    inner = _chord(radius - skin_mm, np.clip(inward - skin_mm, 0, None))
    tilted = (inner / 10).astype(np.float32) * _relative_thickness(shape)
    return tilted, ((whole - inner) / 10).astype(np.float32)


def _relative_thickness(shape: Outline) -> np.ndarray:
    rows, cols = (np.linspace(-0.5, 0.5, n, dtype=np.float32) for n in shape.to_air_mm.shape)
    return 1 + np.float32(shape.tilt[0]) * rows[:, None] + np.float32(shape.tilt[1]) * cols[None]


def missing_cm(shape: Outline) -> np.ndarray:
    """(rows, cols) float32, what a unit makes up for where the breast is thinner."""
    radius = shape.thickness_mm / 2
    depth = _chord(radius, np.clip(shape.to_air_mm, 0, radius)) * _relative_thickness(shape)
    return (np.minimum(shape.thickness_mm - depth, LEVELLED * shape.thickness_mm) / 10).astype(
        np.float32
    )


def _chord(radius: float, inward: np.ndarray) -> np.ndarray:
    return 2 * np.sqrt(np.clip(radius**2 - np.clip(radius - inward, 0, None) ** 2, 0, None))
