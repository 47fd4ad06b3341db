"""Where calcified arteries are looked for, what is taken for one, and what lies on one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.findings import Calcification
from MicrocalcSegmentationLib.lookalikes import mark_vascular, may_be_vascular
from MicrocalcSegmentationLib.vessels import (
    EDGE_MM,
    SHORTEST_MM,
    STEP_MM,
    STEP_PX,
    arteries_in,
    halved,
    on_lattice,
    reach,
    where_to_look,
)

SPACING = (0.1, 0.05)
BREAST = np.ones((100, 125), bool)  # 40 x 50 mm, where answers are


def course(along_mm):
    """(n, 2) mm: a course that bends, from left to right."""
    return np.stack([20 + 0.01 * (along_mm - 25) ** 2, along_mm], axis=1)


ARTERY = course(np.arange(10, 40, STEP_MM))


def dots(positions_mm, probability=0.1):
    return tuple(
        Calcification(n, 0, *(place / SPACING), 0.05, 0.25, 3, 4, probability, 0.25, 0.2, 30.0)
        for n, place in enumerate(np.asarray(positions_mm), 1)
    )


def on_the_artery(count, start=15.0, length=9.0):
    rng = np.random.default_rng(0)
    return course(np.linspace(start, start + length, count)) + rng.uniform(-0.2, 0.2, (count, 2))


def vascular(positions_mm, arteries=(ARTERY,), probability=0.1):
    marked = mark_vascular(dots(positions_mm, probability), SPACING, arteries)
    return np.array([mc.vascular for mc in marked])


def test_six_dots_along_an_artery_are_vascular_and_five_are_not():
    assert (vascular(on_the_artery(6)) == 1).all()
    assert (vascular(on_the_artery(5)) == 0).all()


def test_the_same_dots_without_the_artery_are_not():
    assert (vascular(on_the_artery(7), arteries=()) == 0).all()


def test_dots_in_one_place_of_an_artery_say_nothing_of_its_course():
    assert (vascular(on_the_artery(6, length=3.0)) == 0).all()


def test_what_the_networks_are_sure_of_stays_a_cluster_wherever_it_lies():
    assert (vascular(on_the_artery(7), probability=0.9) == 0).all()


def test_what_lies_beside_an_artery_is_no_part_of_it():
    beside = on_the_artery(3) + np.array([1.5, 0])
    marked = vascular(np.concatenate([on_the_artery(8), beside]))
    assert (marked[:8] == 1).all()
    assert (marked[8:] == 0).all()


def test_a_cluster_that_an_artery_runs_through_stays_one():
    """Where four of ten or more lie beside it, what lies on it is of the cluster."""
    beside = on_the_artery(6) + np.array([1.5, 0])
    assert (vascular(np.concatenate([on_the_artery(8), beside])) == 0).all()
    far = on_the_artery(6) + np.array([6.0, 0])
    assert (vascular(np.concatenate([on_the_artery(8), far]))[:8] == 1).all()


def test_two_arteries_are_two_groups_the_one_of_more_dots_first():
    down = np.array([3, 0])  # nearer than what speaks against it would be
    places = np.concatenate([on_the_artery(6), on_the_artery(8) + down])
    marked = vascular(places, (ARTERY, ARTERY + down))
    assert (marked[:6] == 2).all()
    assert (marked[6:] == 1).all()


def test_where_arteries_are_few_regions_are_looked_at():
    places = np.concatenate([on_the_artery(2), [[2.0, 2.0]]])
    assert may_be_vascular(places, (ARTERY,)).tolist() == [True, True, False]
    assert not may_be_vascular(places).any()
    assert len(may_be_vascular(np.zeros((0, 2)), (ARTERY,))) == 0


def asked_near(places_mm, inside=BREAST):
    return where_to_look(np.asarray(places_mm) / 0.05, inside)


def test_the_network_is_asked_around_three_candidates_near_one_another_alone():
    near = [[20.0, 20.0], [20.0, 24.0], [22.0, 27.0]]
    asked = np.argwhere(asked_near(near)) * STEP_MM
    assert len(asked) > 0
    assert (asked.min(axis=0) < 15).all()
    assert (asked.max(axis=0) > 28).all()
    assert not asked_near(near[:2]).any()
    assert not asked_near([[5.0, 5.0], [20.0, 24.0], [35.0, 45.0]]).any()
    assert not asked_near(np.zeros((0, 2))).any()


def test_outside_the_breast_nothing_is_asked():
    inside = BREAST.copy()
    inside[:, 60:] = False
    asked = asked_near([[2.0, 20.0], [6.0, 22.0], [10.0, 24.0]], inside)
    assert asked[:, :60].any()
    assert not asked[:, 60:].any()


def lines(*rows_and_cols, shape=(100, 125)):
    """Answers along lines: (row, first column, last column) in mm."""
    answers = np.zeros(shape, np.float32)
    for row, first, last in rows_and_cols:
        answers[round(row / STEP_MM), round(first / STEP_MM) : round(last / STEP_MM) + 1] = 0.9
    return answers


def extents(found):
    """First and last column of each, in mm."""
    return [tuple(np.round(np.array([p[:, 1].min(), p[:, 1].max()]) * 0.05, 1)) for p in found]


def test_an_artery_may_have_gaps_but_no_wide_ones():
    found = arteries_in(lines((20, 4, 12), (20, 14, 22)), BREAST, 0.8)
    assert extents(found) == [(4.0, 22.0)]
    assert arteries_in(lines((20, 4, 12), (20, 16, 24)), BREAST, 0.8) == []


def test_the_rim_of_the_breast_is_no_artery_but_one_may_reach_into_it():
    assert arteries_in(lines((EDGE_MM - STEP_MM, 4, 40)), BREAST, 0.8) == []
    found = arteries_in(lines((20, 0, 20)), BREAST, 0.8)
    assert extents(found) == [(0.0, 20.0)]


@settings(max_examples=40, deadline=None)
@given(
    length_mm=st.floats(2, 30),
    turn=st.floats(0, 3.14),
    row=st.integers(0, 20),
    col=st.integers(0, 20),
)
def test_an_artery_is_what_is_long_enough_in_whatever_direction(length_mm, turn, row, col):
    answers = np.zeros((140, 140), np.float32)
    along = np.arange(0, length_mm / STEP_MM, 0.25)[:, None] * [np.sin(turn), np.cos(turn)]
    first = np.array([row + 10, col + 90 if np.cos(turn) < 0 else col + 10])
    cells = np.rint(along + first).astype(int)
    answers[tuple(cells.T)] = 0.9
    found = arteries_in(answers, np.ones(answers.shape, bool), 0.8)
    extent = np.ptp(cells, axis=0)
    if np.hypot(*extent) * STEP_MM < SHORTEST_MM * 0.97:
        assert found == []
    elif np.hypot(*extent) * STEP_MM > SHORTEST_MM * 1.03:
        (places,) = found
        assert sorted(map(tuple, places)) == sorted(map(tuple, np.unique(cells, axis=0) * STEP_PX))
    assert arteries_in(answers, np.ones(answers.shape, bool), 0.95) == []


def test_arteries_apart_are_told_apart():
    answers = np.zeros((60, 80), np.float32)
    answers[10, 5:60] = answers[40, 20:75] = 1
    first, second = arteries_in(answers, np.ones(answers.shape, bool), 0.5)
    assert set(first[:, 0]) == {10 * STEP_PX}
    assert set(second[:, 0]) == {40 * STEP_PX}


@pytest.mark.parametrize("shape", [(6, 8), (7, 9)])
def test_half_the_resolution_is_the_mean_and_background_stays_0(shape):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + 1
    inside = np.ones(shape, bool)
    inside[:2, :2] = False
    inside[2, 2] = False
    small = halved(np.where(inside, values, 0), inside)
    assert small.shape == (3, 4)
    assert small[0, 0] == 0
    assert small[1, 1] == pytest.approx((values[2, 3] + values[3, 2] + values[3, 3]) / 4)
    assert small[2, 3] == pytest.approx(values[4:6, 6:8].mean())


def test_answers_stand_where_the_image_says_whatever_its_pixels():
    fine = np.arange(16 * 24).reshape(16, 24)
    assert on_lattice(fine).tolist() == fine[::8, ::8].tolist()
    assert on_lattice(fine[::2, ::2], 2).tolist() == fine[::8, ::8].tolist()


@pytest.mark.parametrize("size", range(49, 66))
def test_every_patch_that_is_asked_for_lies_within_the_padded_image(size):
    """So that it can be evaluated by itself, whatever rows and columns the breast has."""
    inside = np.ones((size, size + 3), bool)
    padded = np.pad(halved(inside.astype(np.float32), inside), 24)
    last = np.argwhere(on_lattice(inside)).max(axis=0) * STEP_PX // 2
    assert (last + 49 <= padded.shape).all()
    assert (last + 4 + 49 > padded.shape).all()  # and no place is left out


def test_the_reach_of_places_is_the_distance_of_their_ends():
    assert reach(np.array([[0.0, 0.0], [3.0, 4.0], [1.0, 1.0]])) == pytest.approx(5, rel=0.01)
    assert reach(np.array([[2.0, 2.0]])) == 0
