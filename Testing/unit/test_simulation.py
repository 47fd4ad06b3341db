import numpy as np
import pytest
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.normalisation import local_statistics
from MicrocalcSegmentationLib.simulation.calcifications import MASK_LEVEL, Placed, cluster, draw
from MicrocalcSegmentationLib.simulation.cases import CaseOptions, simulate_case
from MicrocalcSegmentationLib.simulation.insertion import LABEL_FROM, insert
from MicrocalcSegmentationLib.simulation.texture import coloured_noise, strands

SMALL = CaseOptions(spacing_mm=0.2, shape=(500, 400), clusters=2, singles=3)


def spectrum_slope(field, spacing_mm, low, high):
    """Exponent beta of the radially averaged power spectrum between two frequencies, 1/mm."""
    power = np.abs(np.fft.fft2(field - field.mean())) ** 2
    down, across = (np.fft.fftfreq(size, spacing_mm) for size in field.shape)
    frequency = np.hypot(down[:, None], across[None]).ravel()
    edges = np.geomspace(low, high, 12)
    bins = np.digitize(frequency, edges)
    mean = [power.ravel()[bins == number].mean() for number in range(1, 12)]
    middle = np.sqrt(edges[1:] * edges[:-1])
    return -np.polyfit(np.log(middle), np.log(mean), 1)[0]


@pytest.mark.parametrize("beta", [2.3, 2.8, 3.3])
def test_texture_has_the_spectrum_asked_for(beta):
    field = coloured_noise((512, 512), 0.1, (beta, 1.4, 1.5), np.random.default_rng(0))
    assert spectrum_slope(field, 0.1, 0.15, 1.0) == pytest.approx(beta, abs=0.2)
    assert spectrum_slope(field, 0.1, 2.0, 4.5) == pytest.approx(1.4, abs=0.2)
    assert field.std() == pytest.approx(1, abs=0.01)


def test_strands_are_bright_lines_on_nothing():
    lines = strands((300, 300), 0.1, 20, np.random.default_rng(0))
    assert lines.min() > -0.01  # enlarging rings a little
    assert 0.2 < lines.max() < 10
    assert np.median(lines) < 0.1 * lines.max()


def test_the_mask_is_where_thickness_reaches_a_quarter_of_its_peak():
    rng = np.random.default_rng(0)
    template = draw(Placed(0, 0, 0.6, 5), 0.05, 0.5, rng)
    # Of a sphere, thickness sqrt(1 - r2) >= 1/4 is r <= 0.968 of the radius.
    diameter_mm = 2 * np.sqrt(template.mask.sum() / np.pi) * 0.05
    assert diameter_mm == pytest.approx(0.6 * np.sqrt(1 - MASK_LEVEL**2), rel=0.03)
    assert template.thickness.max() == 1


def test_an_inserted_mc_has_its_strength_in_local_deviations():
    rng = np.random.default_rng(0)
    tissue = 500 + 20 * coloured_noise((300, 300), 0.05, (2.8, 1.5, 2.0), rng)
    inside = np.ones(tissue.shape, bool)
    _, deviation = local_statistics(tissue, inside, (0.05, 0.05))
    inserted = insert(tissue, inside, 0.05, [Placed(150, 140, 0.3, 6)], rng)
    rise = inserted.pixels - tissue
    assert rise.max() / deviation[150, 140] == pytest.approx(6, rel=1e-3)
    assert np.unravel_index(rise.argmax(), rise.shape) == (150, 140)
    assert inserted.mask[150, 140]
    assert (rise[inserted.mask] > 0).all()


def test_an_mc_too_weak_to_see_is_drawn_but_not_counted():
    rng = np.random.default_rng(0)
    tissue = coloured_noise((200, 200), 0.05, (2.8, 1.5, 2.0), rng)
    inside = np.ones(tissue.shape, bool)
    weak = [Placed(100, 100, 0.4, LABEL_FROM - 0.1)]
    inserted = insert(tissue, inside, 0.05, weak, rng)
    assert not inserted.mask.any()
    assert inserted.faint[100, 100]
    assert (inserted.pixels - tissue).max() > 0


def test_nothing_is_inserted_outside_the_breast():
    rng = np.random.default_rng(0)
    tissue = coloured_noise((200, 200), 0.05, (2.8, 1.5, 2.0), rng)
    inside = np.zeros(tissue.shape, bool)
    inside[:, :100] = True
    outside = [Placed(100, 150, 0.4, 9), Placed(-50, 20, 0.4, 9), Placed(100, 5000, 0.4, 9)]
    inserted = insert(tissue, inside, 0.05, outside, rng)
    assert np.array_equal(inserted.pixels, tissue)


def test_an_mc_at_the_very_corner_is_cut_not_refused():
    rng = np.random.default_rng(0)
    tissue = coloured_noise((100, 100), 0.05, (2.8, 1.5, 2.0), rng)
    inserted = insert(tissue, np.ones((100, 100), bool), 0.05, [Placed(0, 99, 0.4, 9)], rng)
    assert inserted.mask[0, 99]


def test_clusters_have_the_measured_sizes():
    rng = np.random.default_rng(0)
    clusters = [cluster((0, 0), 0.05, rng) for _ in range(300)]
    counts = [len(members) for members in clusters]
    sizes = [placed.size_mm for members in clusters for placed in members]
    strengths = [placed.strength for members in clusters for placed in members]
    # Measured on real clusters: 7 to 42 MCs, median 16; diameter 0.16 / 0.24 / 0.88 mm.
    assert 10 <= np.median(counts) <= 18
    assert 0.2 <= np.median(sizes) <= 0.3
    assert np.min(sizes) >= 0.1
    assert np.max(sizes) <= 1.2
    assert 2.5 <= np.median(strengths) <= 5.5


@pytest.mark.parametrize("kind", ["digital", "film"])
def test_the_same_seed_gives_the_same_mammogram(kind):
    options = CaseOptions(kind, 0.2, (500, 400))
    first, second = (simulate_case(4, options) for _ in range(2))
    assert np.array_equal(first.mammogram.pixels, second.mammogram.pixels)
    assert np.array_equal(first.mask, second.mask)
    assert not np.array_equal(first.mammogram.pixels, simulate_case(5, options).mammogram.pixels)


def test_a_case_says_what_it_is():
    case = simulate_case(4, SMALL)
    assert case.mammogram.spacing_mm == (0.2, 0.2)
    assert case.mammogram.pixels.shape == case.mask.shape == (500, 400)
    assert case.mammogram.view == "CC"
    assert case.mask.any()
    assert case.mammogram.pixels.min() >= 0
    assert case.mammogram.pixels.max() <= 4095


def test_the_chest_wall_is_on_the_side_of_the_laterality():
    for seed in range(6):
        case = simulate_case(seed, SMALL)
        pixels = case.mammogram.pixels[100:400]
        left, right = pixels[:, :40].mean(), pixels[:, -40:].mean()
        assert (left > right) == (case.mammogram.laterality == "L")


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="'tomo' is unknown"):
        simulate_case(1, CaseOptions("tomo"))
