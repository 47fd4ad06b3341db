"""Where an MC is drawn to end, by its probability and by the image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.neighbours import Neighbourhood, find_candidates
from MicrocalcSegmentationLib.neighbours import reconsider as reconsidered
from MicrocalcSegmentationLib.outlines import Outline
from MicrocalcSegmentationLib.training.outline_weights import fit_outline
from MicrocalcSegmentationLib.training.sheets import IGNORED, MC, Sheet
from scipy.ndimage import gaussian_filter

SHAPE = (400, 400)
BREAST = np.ones(SHAPE, bool)
ALONE = Neighbourhood(slope=1.0, near=0.0, far=0.0, shift=0.0)


def outline_of(pixel, share, rise):
    """One that looks at a pixel alone: drawn where pixel + share x s + rise x r > 0."""
    return Outline(((pixel, share, rise), *[(0.0, 0.0, 0.0)] * 4))


def reconsider(*arguments):
    return reconsidered(*arguments).probability


HALF_OF_THE_RISE = outline_of(-0.5, 0.0, 1.0)


def discs(places, radius):
    rows, cols = np.ogrid[: SHAPE[0], : SHAPE[1]]
    inside = np.zeros(SHAPE, bool)
    for row, col in places:
        inside |= np.hypot(rows - row, cols - col) <= radius
    return inside


def as_seen(mcs, blur=1.5, height=8.0):
    """A probability that spreads to twice the area, and the image, blurred."""
    wide = gaussian_filter(mcs.astype(np.float32), 2.5)
    values = height * gaussian_filter(mcs.astype(np.float32), blur)
    return (0.95 * wide / wide.max()).astype(np.float32), values


def overlap(one, other):
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


def test_the_image_draws_an_mc_where_half_of_its_rise_is_left():
    mc = discs([(200, 200)], 4)
    probability, values = as_seen(mc)
    drawn = reconsider(probability, values, BREAST, ALONE, HALF_OF_THE_RISE) > 0
    assert np.array_equal(drawn, values >= values.max() / 2)
    assert overlap(drawn, mc) > 0.9


def test_the_probability_of_an_mc_is_the_same_however_it_is_drawn():
    probability, values = as_seen(discs([(100, 100), (300, 220)], 3))
    plain = reconsider(probability, values, BREAST, ALONE)
    outlined = reconsider(probability, values, BREAST, ALONE, HALF_OF_THE_RISE)
    both = (plain > 0) & (outlined > 0)
    assert both.any()
    assert np.array_equal(plain[both], outlined[both])


def test_an_outline_that_leaves_pieces_or_hardly_anything_is_not_followed():
    """Two bright spots in one candidate would count as two MCs, and two pixels might be lost."""
    probability = np.zeros(SHAPE, np.float32)
    probability[100:104, 100:110] = probability[300:304, 300:304] = 0.8
    values = np.zeros(SHAPE, np.float32)
    values[100:104, 100:103] = values[100:104, 107:110] = values[300, 300:302] = 5.0
    drawn = reconsider(probability, values, BREAST, ALONE, HALF_OF_THE_RISE) > 0
    assert np.array_equal(drawn, probability > 0)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(1.0, 100.0))
def test_a_candidate_is_never_lost_nor_drawn_beyond_its_end(seed, scale):
    rng = np.random.default_rng(seed)
    probability, values = as_seen(discs(rng.uniform(20, 380, (12, 2)), rng.uniform(1, 5)))
    values = (scale * values + rng.normal(0, 1, SHAPE)).astype(np.float32)
    weights = rng.normal(0, 1, (5, 3))
    found = find_candidates(probability, BREAST)
    drawn = found.drawn(values, Outline(tuple(map(tuple, weights))))
    assert set(np.unique(drawn)) == set(np.unique(found.labels))
    assert ((drawn == found.labels) | (drawn == 0)).all()


@pytest.mark.parametrize(
    "weights", [((0.0,) * 3,) * 4, ((0.0,) * 2,) * 5, ((float("nan"),) * 3,) * 5]
)
def test_weights_of_another_shape_or_no_numbers_are_refused(weights):
    with pytest.raises(ValueError, match="outline"):
        Outline(weights)


def sheet_with(seed, count=20):
    rng = np.random.default_rng(seed)
    places = rng.uniform(15, 385, (count, 2))
    mcs = discs(places, 2) | discs(places[:5], 5)
    probability, values = as_seen(mcs)
    values = values + rng.normal(0, 0.1, SHAPE)
    return Sheet(values.astype(np.float16), np.where(mcs, MC, 0).astype(np.uint8)), probability


def test_what_is_learnt_draws_mcs_on_other_sheets_nearer_to_the_true_ones():
    made = [sheet_with(seed) for seed in range(4)]
    chances = {id(sheet): probability for sheet, probability in made}
    learnt = fit_outline(lambda sheet: chances[id(sheet)], [sheet for sheet, _ in made])
    sheet, probability = sheet_with(9)
    true, values = sheet.labels == MC, sheet.pixels.astype(np.float32)
    plain = reconsider(probability, values, BREAST, ALONE) > 0
    outlined = reconsider(probability, values, BREAST, ALONE, learnt) > 0
    assert overlap(outlined, true) > overlap(plain, true) + 0.1


def test_few_mcs_or_none_teach_nothing():
    sheet, probability = sheet_with(1, count=8)
    assert fit_outline(lambda _: probability, [sheet]) is None
    sheet.labels[sheet.labels == MC] = IGNORED
    assert fit_outline(lambda _: probability, [sheet] * 10) is None
    assert fit_outline(lambda _: np.zeros(SHAPE, np.float32), [sheet]) is None
