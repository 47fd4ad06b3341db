"""Vascular groups told from clusters, and the kinds of coarse calcifications."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.calcifications import Measured, label_calcifications, measure
from MicrocalcSegmentationLib.clusters import find_groups
from MicrocalcSegmentationLib.findings import Calcification
from MicrocalcSegmentationLib.lookalikes import mark_vascular
from MicrocalcSegmentationLib.simulation.calcifications import Site, cluster, vascular

SPACING = (0.05, 0.05)


def described(placed, turn=0.0, spacing_mm=SPACING):
    """Calcifications as `measure` would give them, positions in mm turned about the origin."""
    found = []
    for number, one in enumerate(placed, 1):
        row, col = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ (
            one.row,
            one.col,
        )
        angle = np.degrees(np.arctan2(np.cos(one.angle or 0), np.sin(one.angle or 0)) + turn)
        place = (row / spacing_mm[0], col / spacing_mm[1])
        axes = (one.size_mm, one.size_mm * one.elongation, angle % 180)
        found.append(Calcification(number, 0, *place, 0.05, 0.25, 3.0, 4.0, 0.99, *axes))
    return tuple(found)


def vessel(seed, length_mm=25.0, kept=1.0):
    rng = np.random.default_rng(seed)
    along = np.linspace(0, length_mm, 60)
    path_mm = np.stack([0.006 * (along - length_mm / 2) ** 2, along], axis=1)
    placed = vascular(path_mm, 0.7, 1.0, rng)
    return [one for one in placed if rng.random() < kept]


def share_vascular(mcs, spacing_mm=SPACING):
    return np.mean([mc.vascular > 0 for mc in mark_vascular(mcs, spacing_mm)])


@pytest.mark.parametrize("kept", [1.0, 0.6])
def test_plaques_along_a_curved_vessel_are_vascular(kept):
    found = [share_vascular(described(vessel(seed, kept=kept))) for seed in range(10)]
    assert np.mean(np.array(found) > 0.9) >= 0.9


def test_clusters_of_every_distribution_are_hardly_ever_vascular():
    groups = [cluster(Site((0.0, 0.0)), 1.0, np.random.default_rng(seed)) for seed in range(80)]
    assert np.mean([share_vascular(described(group)) > 0 for group in groups]) <= 0.03


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 50),
    turn=st.floats(0, 6.28),
    spacing=st.tuples(st.floats(0.03, 0.1), st.floats(0.03, 0.1)),
)
def test_turning_and_spacing_change_nothing(seed, turn, spacing):
    placed = vessel(seed, kept=0.5)
    expected = [mc.vascular for mc in mark_vascular(described(placed), SPACING)]
    turned = mark_vascular(described(placed, turn, spacing), spacing)
    assert [mc.vascular for mc in turned] == expected


def test_a_short_straight_line_of_aligned_mcs_is_left_a_cluster():
    assert share_vascular(described(vessel(1, length_mm=7.0))) == 0


def test_a_vessel_takes_its_calcifications_out_of_the_clusters_and_leaves_others_in():
    plaques = described(vessel(3))
    apart = [(30.0 + row, 5.0 + col) for row in (0, 1, 2) for col in (0, 1.3, 2.4)]
    others = tuple(
        Calcification(
            len(plaques) + n, 0, r / 0.05, c / 0.05, 0.05, 0.25, 3, 4, 0.99, 0.3, 0.25, 20
        )
        for n, (r, c) in enumerate(apart, 1)
    )
    labels = np.zeros((1000, 800), np.int32)
    every = []
    for mc in (*plaques, *others):
        row, col = round(mc.row) + 100, round(mc.col) + 100
        while labels[row, col]:
            row += 1
        labels[row, col] = mc.number
        every.append(mc)
    marked, clusters, along = find_groups(labels, tuple(every), SPACING)
    assert [one.count for one in clusters] == [9]
    assert len(along) == 1
    assert along[0].count >= 0.9 * len(plaques)
    assert all(mc.cluster == 0 for mc in marked if mc.vascular)
    assert {mc.kind for mc in marked if mc.vascular} == {"vascular"}


def kind(mask, spacing_mm=(0.1, 0.1)):
    padded = np.pad(mask, 15)
    labels = label_calcifications(padded, spacing_mm, 0.0075)
    on = Measured(padded * 9.0, np.ones(padded.shape), padded * 1.0)
    (found,) = measure(labels, on, spacing_mm)
    return found.kind


def ellipse(length_mm, width_mm, angle=0.0, spacing_mm=0.1):
    axis = np.arange(-40, 41) * spacing_mm
    along = np.cos(angle) * axis[:, None] + np.sin(angle) * axis[None]
    across = -np.sin(angle) * axis[:, None] + np.cos(angle) * axis[None]
    return np.hypot(along / length_mm, across / width_mm) <= 0.5


@settings(max_examples=20, deadline=None)
@given(angle=st.floats(0, 3.14))
def test_coarse_ones_are_described_whatever_their_direction(angle):
    assert kind(ellipse(0.8, 0.8)) == "microcalcification"
    assert kind(ellipse(2.0, 0.3, angle)) == "microcalcification"  # long, but no larger
    assert kind(ellipse(3.0, 0.7, angle)) == "large rod-like"
    assert kind(ellipse(1.6, 1.4, angle)) == "large round"
    assert kind(ellipse(2.6, 1.3, angle)) == "coarse"
    assert kind(ellipse(3.0, 2.8, angle) & ~ellipse(2.4, 2.2, angle)) == "rim"
    lobes = [np.roll(ellipse(1.4, 1.4), shift, (0, 1)) for shift in ((8, 0), (-8, 0), (0, 9))]
    assert kind(np.any(lobes, axis=0)) == "popcorn"


def test_coarse_ones_make_no_cluster():
    mask = np.zeros((160, 160), bool)
    for row, col in [(20, 20), (20, 60), (60, 20), (60, 60), (20, 95), (60, 95), (95, 60)]:
        mask[row : row + 12, col : col + 12] = True
    labels = label_calcifications(mask, (0.1, 0.1), 0.0075)
    on = Measured(mask * 9.0, np.ones(mask.shape), mask * 1.0)
    mcs, clusters, along = find_groups(labels, measure(labels, on, (0.1, 0.1)), (0.1, 0.1))
    assert clusters == along == ()
    assert len(mcs) == 7
    assert all(mc.coarse and not mc.isolated for mc in mcs)
