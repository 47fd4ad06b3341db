"""Ligaments, ducts and vessels: how they are drawn, run and join."""

import numpy as np
import pytest
from MicrocalcSegmentationLib.simulation.lines import Line, draw_lines
from MicrocalcSegmentationLib.simulation.outline import outline
from MicrocalcSegmentationLib.simulation.strands import STEP_MM, ligaments, vascular_paths

SHAPE, SPACING_MM = (600, 600), 0.05


def straight(start, stop, sigma_mm=0.3, strength=0.2, count=30):
    path = np.linspace(start, stop, count)
    ends = (np.linspace(*np.broadcast_to(value, 2), count) for value in (sigma_mm, strength))
    return Line(path, *ends)


def drawn(*lines):
    return draw_lines(list(lines), (0.0, 0.0), SHAPE, SPACING_MM)


def sigma_of(across):
    """Of a Gaussian with this sum and peak, in mm."""
    return across.sum() * SPACING_MM / (np.sqrt(2 * np.pi) * across.max())


@pytest.fixture(scope="module")
def strands():
    rng = np.random.default_rng(5)
    return ligaments(outline("CC", (120.0, 90.0), rng), 300, rng)


@pytest.mark.parametrize("sigma_mm", [0.06, 0.13, 0.3, 0.7])
@pytest.mark.parametrize("down_mm", [0.0, 8.0])
def test_lines_are_soft_and_as_strong_as_they_say_at_any_slope(sigma_mm, down_mm):
    lines = drawn(straight((15.0, 3.0), (15.0 + down_mm, 27.0), sigma_mm))
    across = lines[:, 300]
    slope = np.cos(np.arctan2(down_mm, 24))
    assert across.max() == pytest.approx(0.2, rel=0.15)
    assert sigma_of(across) * slope == pytest.approx(sigma_mm, rel=0.2)
    assert lines[:40].max() < 0.005


def test_a_line_is_as_wide_as_it_says_all_along():
    lines = drawn(straight((15.0, 1.0), (15.0, 29.0), (0.1, 0.4)))
    widths_mm = [sigma_of(lines[:, col]) for col in (100, 300, 500)]
    assert widths_mm == pytest.approx([0.143, 0.25, 0.357], rel=0.1)


def test_depths_add_up_where_lines_cross():
    one, other = straight((15.0, 3.0), (15.0, 27.0)), straight((3.0, 15.0), (27.0, 15.0))
    assert drawn(one, other).max() == pytest.approx(0.4, rel=0.15)


def test_nothing_is_drawn_of_lines_outside_the_window():
    assert drawn(straight((-20.0, 3.0), (-15.0, 27.0))).max() == 0


def test_most_strands_begin_or_end_on_another(strands):
    points = [line.path_mm for line in strands]
    joined = 0
    for number, path in enumerate(points):
        others = np.concatenate(points[:number] + points[number + 1 :])
        joined += min(np.hypot(*(others - end).T).min() for end in (path[0], path[-1])) < 1e-6
    assert joined > 0.6 * len(strands)


def test_a_strand_takes_width_and_depth_of_the_one_that_it_joins(strands):
    for number, line in enumerate(strands):
        for other in strands[:number]:
            off = np.hypot(*(other.path_mm - line.path_mm[0]).T)
            if off.min() < 1e-6:
                at = off.argmin()
                assert 0.9 <= line.sigma_mm[0] / other.sigma_mm[at] <= 1.5
                assert line.strength[0] <= other.strength[at]


def test_strands_curve_and_vary_in_width_and_fade_at_free_ends(strands):
    long = [line for line in strands if len(line.path_mm) > 15 / STEP_MM]
    turns, widths = [], []
    for line in long:
        headings = np.unwrap(np.arctan2(*np.diff(line.path_mm, axis=0).T))
        turns.append(np.ptp(headings))
        widths.append(np.log(line.sigma_mm).std())
    assert np.median(turns) > 0.5  # radians: no straight lines
    assert np.percentile(widths, 10) > 0.1
    free = [line.strength[0] for line in strands if line.strength[0] < 1e-9]
    assert 0.1 * len(strands) < len(free) < 0.5 * len(strands)


def test_neighbouring_strands_run_in_no_parallel_bundles(strands):
    middles = np.array([line.path_mm[len(line.path_mm) // 2] for line in strands])
    ends = np.array([line.path_mm[-1] - line.path_mm[0] for line in strands])
    headings = np.arctan2(*ends.T)
    near = np.hypot(*(middles[:, None] - middles[None]).transpose(2, 0, 1)) < 4
    between = np.abs(np.sin(headings[:, None] - headings[None]))
    pairs = np.triu(near, 1)
    assert pairs.sum() > 100
    assert (between[pairs] < 0.1).mean() < 0.25


def test_calcified_vessels_lie_on_wide_lines():
    fine, wide = straight((5, 5), (5, 45), 0.1), straight((9, 5), (9, 45), (0.6, 0.4))
    paths = vascular_paths([fine, wide], np.random.default_rng(0), 4)
    assert len(paths) == 4
    for path, radius_mm in paths:
        assert (path[:, 0] == 9).all()
        assert radius_mm == pytest.approx(1.4 * 0.5)
