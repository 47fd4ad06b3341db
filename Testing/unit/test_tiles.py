import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from MicrocalcSegmentationLib.inference.tiles import cover

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=24))


def painted(tiles, shape):
    count = np.zeros(shape, int)
    for tile in tiles:
        count[tile.row : tile.row + tile.rows, tile.col : tile.col + tile.cols] += 1
    return count


def cost(tiles, rim):
    return sum((tile.rows + rim) * (tile.cols + rim) for tile in tiles)


@settings(deadline=None)
@given(MASKS, st.sampled_from([0.0, 0.7, 2.5, 20.0]), st.integers(1, 600))
def test_every_wanted_cell_lies_in_one_tile_and_no_tile_is_too_large(wanted, rim, most):
    tiles = cover(wanted, rim, most)
    count = painted(tiles, wanted.shape)
    assert (count[wanted] == 1).all()
    assert count.max(initial=0) <= 1
    assert all(tile.rows * tile.cols <= most for tile in tiles)


@settings(deadline=None)
@given(MASKS, st.sampled_from([0.7, 2.5]))
def test_tiles_cost_no_more_than_one_around_everything(wanted, rim):
    tiles = cover(wanted, rim, wanted.size)
    rows, cols = np.nonzero(wanted)
    if len(rows):
        one = (np.ptp(rows) + 1 + rim) * (np.ptp(cols) + 1 + rim)
        assert cost(tiles, rim) <= one + 1e-9


def test_two_far_apart_are_two_tiles_and_two_beside_each_other_one():
    wanted = np.zeros((40, 40), bool)
    wanted[2:8, 2:8] = wanted[30:36, 30:36] = True
    assert len(cover(wanted, 2.5, 10_000)) == 2
    wanted[:] = False
    wanted[2:8, 2:8] = wanted[2:8, 9:15] = True
    assert len(cover(wanted, 2.5, 10_000)) == 1


def test_an_empty_grid_has_no_tiles():
    assert cover(np.zeros((5, 5), bool), 1.0, 10) == []


@pytest.mark.parametrize("size", [50, 100, 200])
def test_a_disc_costs_little_more_than_its_own_area(size):
    rows, cols = np.ogrid[:size, :size]
    disc = (rows - size / 2) ** 2 + (cols - size / 2) ** 2 < (size / 2) ** 2
    assert cost(cover(disc, 0.7, disc.size), 0.7) < 1.2 * disc.sum()
