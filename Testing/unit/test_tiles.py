import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from MicrocalcSegmentationLib.inference.dense import pixel_tiles
from MicrocalcSegmentationLib.inference.tiles import Tile, cover, fitted, joined

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


@settings(deadline=None)
@given(MASKS, st.sampled_from([0.7, 2.5]), st.sampled_from([1.0, 4.0, 30.0]))
def test_the_dearer_each_tile_is_the_fewer_they_are(wanted, rim, each):
    many, few = cover(wanted, rim, wanted.size), cover(wanted, rim, wanted.size, each)
    assert (painted(few, wanted.shape)[wanted] == 1).all()
    rows, cols = np.nonzero(wanted)
    if len(rows):
        one = (np.ptp(rows) + 1 + rim) * (np.ptp(cols) + 1 + rim)
        assert cost(few, rim) + each * (len(few) - 1) <= one + 1e-9
    assert len(few) <= len(many)


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


@settings(deadline=None)
@given(MASKS, st.sampled_from([0.0, 2.5, 16.0]), st.sampled_from([0.0, 20.0]), st.integers(1, 600))
def test_joining_tiles_leaves_nothing_out_overlaps_nothing_and_costs_no_more(
    wanted, rim, each, most
):
    tiles = [fitted(tile, wanted) for tile in cover(wanted, 0.0, most)]
    fewer = joined(tiles, rim, each, most)
    count = painted(fewer, wanted.shape)
    assert (count[wanted] == 1).all()
    assert count.max(initial=0) <= 1
    assert all(tile.rows * tile.cols <= most for tile in fewer)
    total, before = (cost(some, rim) + each * len(some) for some in (fewer, tiles))
    assert total <= before + 1e-9


def test_tiles_are_joined_where_their_rims_cost_more_than_what_lies_between():
    left, right, far = Tile(0, 0, 10, 10), Tile(0, 12, 10, 10), Tile(200, 0, 10, 10)
    assert set(joined([left, right, far], 16.0, 0.0, 1000)) == {Tile(0, 0, 10, 22), far}
    assert set(joined([left, right, far], 16.0, 0.0, 219)) == {left, right, far}
    assert joined([], 16.0, 0.0, 10) == []


def test_tiles_are_not_joined_across_another():
    # Of two long ones and a short one that sticks out of the row between them.
    tiles = [Tile(0, 0, 30, 2), Tile(0, 4, 30, 2), Tile(10, 3, 1, 1)]
    assert painted(joined(tiles, 16.0, 0.0, 121), (30, 6)).max() == 1


@settings(deadline=None)
@given(MASKS, st.integers(16, 600))
def test_every_candidate_pixel_lies_in_one_tile_of_the_segmentator(where, most):
    tiles = pixel_tiles(where, most)
    count = painted(tiles, where.shape)
    assert (count[where] == 1).all()
    assert count.max(initial=0) <= 1
    assert all(tile.rows * tile.cols <= most for tile in tiles)
    assert all(tile == fitted(tile, where) for tile in tiles)
