"""Walls around fat lobules and strands within gland: structure of 0.3 to 3 mm.

A wall is seen where its sheet runs along the ray. Lobules are where one of three smooth random
fields, drawn out as the gland is, is higher than the others, and sheets lie between them as in
foam: they curve, and three meet at a joint.
"""

import numpy as np

from .outline import GRID_MM, Outline
from .parenchyma import Frame

_KINDS = 3  # of lobules: fewer make no joints, and `_walls` compares just so many


def septa_cm(shape: Outline, gland: np.ndarray, rng) -> np.ndarray:
    """(rows, cols) float32 cm of gland-like depth. gland: its share of the depth, 0..1."""
    frame = Frame(shape)
    busyness = np.float32(rng.lognormal(0, 0.15))
    total = np.zeros(shape.to_air_mm.shape, np.float32)
    for _ in range(4):  # fat lobules
        lobule_mm = np.exp(rng.uniform(np.log(3), np.log(7.5)))
        total += 0.125 * _walls(frame, lobule_mm, rng.uniform(0.16, 0.3), rng)
    for _ in range(3):  # lobules of gland, ducts cut across
        lobule_mm = np.exp(rng.uniform(np.log(1.5), np.log(4)))
        strands = _walls(frame, lobule_mm, rng.uniform(0.11, 0.2), rng)
        total += 0.2965 * strands * gland
    return total * busyness


def _walls(frame: Frame, lobule_mm: float, wall_mm: float, rng) -> np.ndarray:
    """Sheets of Gaussian radius about wall_mm, about lobule_mm apart.

    Here they are strong and wide, there thin or missing.
    """
    exponents, stretch = (0.5, rng.uniform(4.2, 5.0), 0.5 / lobule_mm), rng.uniform(1.0, 1.5)
    fields = [frame.field(exponents, stretch, rng) for _ in range(_KINDS)]
    # Every lobule is of the kind whose field is the highest there; walls are where two tie.
    highest = np.maximum(np.maximum(fields[0], fields[1]), fields[2])
    lowest = np.minimum(np.minimum(fields[0], fields[1]), fields[2])
    lead = 2 * highest + lowest - sum(fields)
    steps = [np.diff(fields[0] - fields[1], axis=axis) for axis in (0, 1)]
    steepness = np.sqrt(sum(np.mean(np.square(step)) for step in steps)) / GRID_MM
    patches = frame.field((1.0, 3.0, 0.5 / lobule_mm), 1.5, rng)
    strength = np.clip(0.5 + 0.7 * patches, 0, 2)
    radius = np.float32(steepness * wall_mm) * (0.7 + 0.3 * strength)
    return strength * np.exp(-0.5 * np.square(lead / radius))
