"""Gland, fat and the walls between: how tissue is laid out."""

import numpy as np
from MicrocalcSegmentationLib.simulation.outline import outline
from MicrocalcSegmentationLib.simulation.parenchyma import Frame
from MicrocalcSegmentationLib.simulation.septa import septa_cm
from scipy.ndimage import gaussian_filter


def directions(field):
    """Of the steepest slope, in radians without a sign, over half a centimetre around."""
    down, right = np.gradient(gaussian_filter(field, 2))
    square, mixed, other = (
        gaussian_filter(product, 25) for product in (down**2, down * right, right**2)
    )
    return 0.5 * np.arctan2(2 * mixed, square - other)


def test_drawn_out_tissue_bends_in_every_slab_otherwise():
    rng = np.random.default_rng(0)
    shape = outline("CC", (120.0, 90.0), rng)
    frame = Frame(shape)
    one, other = (directions(frame.field((1.5, 4.0, 0.08), 6.0, rng)) for _ in range(2))
    # Slabs that all ran straight to the nipple differ by 0.06, and make streaks.
    assert np.abs(np.sin(one - other))[shape.to_air_mm > 5].mean() > 0.1


def test_walls_lie_in_gland_and_fat_and_have_no_shading_of_their_own():
    rng = np.random.default_rng(3)
    shape = outline("CC", (120.0, 90.0), rng)
    gland = np.zeros(shape.to_air_mm.shape, np.float32)
    gland[: len(gland) // 2] = 0.8
    walls = septa_cm(shape, gland, rng)
    inside = shape.to_air_mm > 5
    upper, lower = (np.s_[: len(gland) // 2], np.s_[len(gland) // 2 :])
    assert walls.min() >= 0
    assert walls[lower][inside[lower]].std() > 0.01
    assert walls[upper][inside[upper]].std() > 1.5 * walls[lower][inside[lower]].std()
