from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.neighbours import (
    FLOOR,
    WHOLE_CM2,
    Around,
    Neighbourhood,
    find_candidates,
)
from MicrocalcSegmentationLib.neighbours import reconsider as reconsidered
from MicrocalcSegmentationLib.training.neighbour_weights import fit_neighbourhood
from MicrocalcSegmentationLib.training.sheets import IGNORED, MC, Sheet

BREAST = np.ones((1000, 1000), bool)
ALONE = Neighbourhood(slope=1.0, near=0.0, far=0.0, shift=0.0)
LEARNT = Neighbourhood(slope=0.9, near=3.5, far=-2.0, shift=-2.0)
WARY = replace(ALONE, everywhere=-1.0, usual=0.5)


def reconsider(probability, inside, neighbourhood):
    """By the probability alone: without an outline the image says nothing."""
    values = np.ones_like(probability)
    return reconsidered(probability, values, inside, neighbourhood).probability


def marked(places, chance=0.5, shape=BREAST.shape):
    """Squares of 4 x 4 pixels, all of one probability."""
    probability = np.zeros(shape, np.float32)
    for row, col in places:
        probability[row : row + 4, col : col + 4] = chance
    return probability


def group_at(row, col, count=6):
    """MCs 1 mm apart, in rows of three."""
    return [(row + 20 * (n // 3), col + 20 * (n % 3)) for n in range(count)]


def test_weights_of_one_leave_a_probability_as_it_is():
    probability = marked([(100, 100), (500, 500)], 0.4)
    assert np.allclose(reconsider(probability, BREAST, ALONE), probability, atol=1e-6)


def test_company_raises_and_solitude_lowers():
    probability = marked([*group_at(200, 200), (800, 800)])
    result = reconsider(probability, BREAST, LEARNT)
    assert result[200, 200] > 0.5 > 0.3 > result[800, 800]


def test_scattered_candidates_do_not_vouch_for_one_another():
    everywhere = [(row, col) for row in range(50, 950, 100) for col in range(50, 950, 100)]
    scattered = reconsider(marked(everywhere), BREAST, LEARNT)
    grouped = reconsider(marked(group_at(450, 450)), BREAST, LEARNT)
    assert scattered.max() < grouped.max()


def test_a_candidate_is_no_neighbour_of_its_own():
    small = find_candidates(marked([(500, 500)], 0.1), BREAST)
    large = find_candidates(marked([(500, 500)], 0.99), BREAST)
    assert small.evidence[0, 1:] == pytest.approx(0, abs=1e-9)
    assert large.evidence[0, 1:] == pytest.approx(0, abs=1e-9)


def test_at_the_breasts_edge_half_a_neighbourhood_counts_as_a_whole_one():
    inside = BREAST.copy()
    inside[:, 500:] = False
    line = [(row, 496) for row in range(300, 700, 20)]
    middle = find_candidates(marked(line), BREAST).evidence[10, 1]
    edge = find_candidates(marked(line), inside).evidence[10, 1]
    assert np.expm1(edge) == pytest.approx(2 * np.expm1(middle), rel=0.15)


def chances_in(side_cm, places_cm, chance, neighbourhood=WARY):
    """Of candidates of one chance at these places, (n, 2) cm, in a square of breast."""
    breast = np.ones((int(side_cm * 20),) * 2)
    cells = tuple((np.asarray(places_cm).T * 20).astype(int))
    own = np.log(chance) - np.log1p(-chance)
    evidence = np.tile([own, 0.0, 0.0], (len(places_cm), 1))
    return neighbourhood.weigh(evidence, Around(cells, breast))[0]


def all_over(side_cm, apart_cm):
    line = np.arange(apart_cm / 2, side_cm, apart_cm)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def test_a_breast_full_of_doubtful_candidates_lowers_them_all():
    some, many = (chances_in(12, all_over(12, apart), 0.4) for apart in (2.0, 0.5))
    assert np.ptp(many) == pytest.approx(0, abs=1e-9)
    assert many.max() < 0.4 * some.max()
    assert chances_in(12, [(6.0, 6.0)], 0.4) == pytest.approx(0.4)  # fewer than usual


def test_sixteen_times_as_many_doubtful_ones_have_a_sixteenth_of_the_odds():
    odds = [p / (1 - p) for p in (chances_in(12, all_over(12, d), 0.4)[0] for d in (0.2, 0.05))]
    assert odds[0] / odds[1] == pytest.approx(16, rel=0.02)


def test_certain_mcs_all_over_a_breast_stay_certain():
    assert chances_in(12, all_over(12, 0.5), 0.999).min() > 0.998


def test_a_large_cluster_says_nothing_of_the_rest():
    alone = chances_in(12, [(6.0, 6.0)], 0.4)
    cluster = chances_in(12, 5.0 + all_over(2, 0.2), 0.4)
    assert cluster == pytest.approx(alone[0], abs=1e-6)


@pytest.mark.parametrize("side_cm", [1.0, 3.0, 5.0, 8.0])
def test_a_small_piece_counts_by_its_area(side_cm):
    def logit(side_cm):
        chance = chances_in(side_cm, all_over(side_cm, 0.1), 0.5)[0]
        return np.log(chance / (1 - chance))

    assert logit(side_cm) / logit(12) == pytest.approx(min(1, side_cm**2 / WHOLE_CM2), rel=0.02)


def test_a_candidate_ends_where_a_fifth_of_its_height_is_left():
    probability = np.zeros((60, 60), np.float32)
    probability[20:40, 20:40] = 0.1
    probability[26:30, 26:30] = 0.9
    labels = find_candidates(probability, np.ones((60, 60), bool)).labels
    near = labels[22:34, 22:34] > 0
    assert near.sum() == 16


def test_an_mc_is_drawn_where_half_of_its_height_is_left():
    probability = np.zeros((60, 60), np.float32)
    rows, cols = np.ogrid[:60, :60]
    probability += 0.8 * np.exp(-0.5 * ((rows - 30) ** 2 + (cols - 30) ** 2) / 4.0**2)
    drawn = reconsider(probability, np.ones((60, 60), bool), ALONE) > 0
    assert np.array_equal(drawn, probability >= 0.4)


def test_a_candidate_whose_core_is_in_pieces_is_drawn_whole():
    """Two peaks of 0.8 with 0.3 between them: one candidate, and one MC."""
    probability = np.zeros((60, 60), np.float32)
    probability[30:34, 20:24] = probability[30:34, 28:32] = 0.8
    probability[30:34, 24:28] = 0.3
    drawn = reconsider(probability, np.ones((60, 60), bool), ALONE) > 0
    assert np.array_equal(drawn, probability > 0)


def test_a_tiny_core_does_not_shrink_an_mc_to_nothing():
    probability = np.zeros((60, 60), np.float32)
    probability[30:33, 30:33] = 0.3
    probability[31, 30:32] = 0.9
    drawn = reconsider(probability, np.ones((60, 60), bool), ALONE) > 0
    assert drawn.sum() == 9


def test_a_faint_candidate_survives_beside_a_plain_one():
    probability = marked([(100, 100)], 0.95) + marked([(100, 106)], 0.06)
    assert find_candidates(probability, BREAST).labels.max() == 2


def test_nothing_below_the_floor_is_a_candidate():
    probability = marked([(100, 100)], FLOOR * 0.9)
    assert not find_candidates(probability, BREAST).labels.any()
    assert not reconsider(probability, BREAST, LEARNT).any()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 3))
def test_turning_the_image_turns_the_result(seed, turns):
    rng = np.random.default_rng(seed)
    probability = marked(rng.integers(0, 396, (12, 2)), 0.5, (400, 400))
    inside = np.ones((400, 400), bool)
    learnt = replace(LEARNT, everywhere=-1.0, usual=0.5)
    turned = reconsider(np.rot90(probability, turns), inside, learnt)
    assert np.allclose(turned, np.rot90(reconsider(probability, inside, learnt), turns), atol=0.05)


def sheet_of(mcs, others):
    labels = np.zeros(BREAST.shape, np.uint8)
    for row, col in mcs:
        labels[row : row + 4, col : col + 4] = MC
    return Sheet(np.ones(BREAST.shape, np.float16), labels), marked([*mcs, *others])


def test_what_is_learnt_tells_groups_from_scattered_marks():
    rng = np.random.default_rng(5)
    made = [
        sheet_of(group_at(*rng.integers(200, 700, 2)), rng.integers(0, 990, (8, 2)))
        for _ in range(6)
    ]
    scores = {id(sheet): probability for sheet, probability in made}
    learnt = fit_neighbourhood(lambda sheet: scores[id(sheet)], [sheet for sheet, _ in made])
    assert learnt.near > 0 > learnt.everywhere
    assert learnt.usual > 0
    sheet, probability = made[0]
    result = reconsider(probability, BREAST, learnt)
    assert result[sheet.labels == MC].min() > result[(sheet.labels != MC) & (result > 0)].mean()


def test_marks_on_what_is_ignored_teach_nothing():
    sheet, probability = sheet_of(group_at(300, 300), [(800, 800)])
    sheet.labels[800:804, 800:804] = IGNORED
    assert fit_neighbourhood(lambda _: probability, [sheet]) is None


def test_without_candidates_of_both_kinds_there_is_nothing_to_learn():
    sheet, probability = sheet_of(group_at(300, 300), [])
    assert fit_neighbourhood(lambda _: probability, [sheet]) is None
    assert fit_neighbourhood(lambda _: np.zeros(BREAST.shape, np.float32), [sheet]) is None
