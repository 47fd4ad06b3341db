from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.calcifications import Measured, label_calcifications, measure
from MicrocalcSegmentationLib.clusters import RADIUS_MM, find_clusters, group

coordinates = st.floats(0, 25).map(lambda value: round(value, 2))
positions = st.lists(st.tuples(coordinates, coordinates), max_size=22).map(
    lambda points: np.array(points, float).reshape(-1, 2)
)


def ring(count, area_mm2, turn=0.3):
    """Points on the rim of a disc of that area, evenly, so that no smaller disc holds them."""
    angles = turn + 2 * np.pi * np.arange(count) / count
    return np.sqrt(area_mm2 / np.pi) * np.stack([np.cos(angles), np.sin(angles)], axis=1) + 20


def as_sets(groups):
    return {frozenset(int(index) for index in members) for members in groups}


def by_brute_force(points):
    """Discs through every pair of points, and around each point, as the definition reads."""
    centres = list(points)
    for first, second in combinations(points, 2):
        between = second - first
        distance = np.hypot(*between)
        if 0 < distance <= 2 * RADIUS_MM:
            aside = np.sqrt(max(RADIUS_MM**2 - distance**2 / 4, 0))
            normal = np.array([-between[1], between[0]]) / distance
            centres += [
                (first + second) / 2 + aside * normal,
                (first + second) / 2 - aside * normal,
            ]
    held = [
        set(np.flatnonzero(np.hypot(*(points - centre).T) <= RADIUS_MM * (1 + 1e-7)).tolist())
        for centre in centres
    ]
    clusters = []
    for members in (members for members in held if len(members) >= 6):
        touching = [cluster for cluster in clusters if cluster & members]
        clusters = [cluster for cluster in clusters if not cluster & members]
        clusters.append(members.union(*touching))
    return {frozenset(cluster) for cluster in clusters}


def test_five_are_no_cluster_however_close():
    assert group(np.random.default_rng(0).uniform(0, 1, (5, 2))) == []


def test_six_are_a_cluster():
    assert as_sets(group(np.random.default_rng(0).uniform(0, 1, (6, 2)))) == {frozenset(range(6))}


def test_six_on_exactly_one_square_centimetre_are_a_cluster():
    assert as_sets(group(ring(6, 100.0))) == {frozenset(range(6))}


def test_six_on_slightly_more_are_none():
    assert group(ring(6, 101.0)) == []


def test_six_at_one_place_are_a_cluster():
    assert len(group(np.full((6, 2), 3.0))) == 1


def test_a_long_chain_is_one_cluster():
    chain = np.stack([np.arange(0, 60, 1.5), np.zeros(40)], axis=1)
    assert as_sets(group(chain)) == {frozenset(range(40))}


def test_two_groups_far_apart_stay_two_and_a_straggler_stays_out():
    here = np.random.default_rng(1).uniform(0, 4, (7, 2))
    points = np.concatenate([here, here + 40, [[20.0, 20.0]]])
    assert as_sets(group(points)) == {frozenset(range(7)), frozenset(range(7, 14))}


@given(positions)
@settings(max_examples=150, deadline=None)
def test_groups_are_those_of_the_definition(points):
    assert as_sets(group(points)) == by_brute_force(points)


@given(positions, st.floats(0, 6.28), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_turning_moving_and_reordering_change_nothing(points, angle, random):
    order = list(range(len(points)))
    random.shuffle(order)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (points[order] @ turn + (7, -3)) if len(points) else points
    back = {frozenset(order[index] for index in members) for members in as_sets(group(moved))}
    assert back == as_sets(group(points))


@pytest.mark.parametrize("side_mm", [10, 200])
def test_thousands_are_grouped_quickly(side_mm):
    import time

    points = np.random.default_rng(2).uniform(0, side_mm, (4000, 2))
    started = time.process_time()
    assert group(points)
    assert time.process_time() - started < 20  # no speed claim: a guard against a runaway


@pytest.fixture
def six_squares():
    """MCs of 2 x 2 pixels at anisotropic spacing, six of them close together."""
    mask = np.zeros((200, 150), bool)
    for row, col in [(20, 30), (20, 50), (40, 30), (40, 50), (30, 40), (20, 40), (190, 140)]:
        mask[row : row + 2, col : col + 2] = True
    return mask, (0.1, 0.05)


def described(mask, spacing):
    labels = label_calcifications(mask, spacing, 0)
    ones = np.ones(mask.shape)
    return find_clusters(labels, measure(labels, Measured(ones, ones, ones), spacing), spacing)


def test_a_cluster_is_measured_in_millimetres(six_squares):
    calcifications, (cluster,) = described(*six_squares)
    assert [mc.cluster for mc in calcifications] == [1, 1, 1, 1, 1, 1, 0]
    assert (cluster.count, cluster.row_min, cluster.row_max) == (6, 20, 41)
    assert (cluster.col_min, cluster.col_max) == (30, 51)
    assert cluster.area_mm2 == pytest.approx(22 * 0.1 * 22 * 0.05)
    assert cluster.density_per_cm2 == pytest.approx(6 / (cluster.area_mm2 / 100))
    assert cluster.extent_mm == pytest.approx(np.hypot(2.2, 1.1))


def test_the_cluster_of_most_mcs_comes_first():
    mask = np.zeros((700, 700), bool)
    mask[10:40:5, 10] = True
    mask[600:660:5, 600] = True
    _, clusters = described(mask, (0.1, 0.1))
    assert [cluster.count for cluster in clusters] == [12, 6]


def test_mcs_in_one_line_of_pixels_have_an_outline_with_an_area():
    mask = np.zeros((10, 80), bool)
    mask[5, 5:77:6] = True
    _, (cluster,) = described(mask, (0.05, 0.05))
    assert cluster.area_mm2 == pytest.approx(67 * 0.05 * 0.05)
