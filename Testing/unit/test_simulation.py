from dataclasses import replace

import numpy as np
import pytest
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.normalisation import local_statistics
from MicrocalcSegmentationLib.simulation.acquisition import film_damage
from MicrocalcSegmentationLib.simulation.anatomy import plan, render, window_of
from MicrocalcSegmentationLib.simulation.calcifications import (
    BENIGN_ONES,
    MASK_LEVEL,
    Placed,
    Site,
    benign,
    cluster,
    draw,
    vascular,
)
from MicrocalcSegmentationLib.simulation.cases import CaseOptions, simulate_case
from MicrocalcSegmentationLib.simulation.content import Contents, calcify
from MicrocalcSegmentationLib.simulation.insertion import (
    UNSHARP_MM,
    Ground,
    insert,
    local_blur_px,
)
from MicrocalcSegmentationLib.simulation.outline import GRID_MM, VIEWS, depths_cm, outline
from MicrocalcSegmentationLib.simulation.parenchyma import DENSITIES, gland_share
from MicrocalcSegmentationLib.simulation.texture import coloured_noise
from MicrocalcSegmentationLib.simulation.visibility import VISIBLE_FROM
from scipy.ndimage import distance_transform_edt, gaussian_filter, label
from skimage.measure import regionprops

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


def test_the_mask_is_where_thickness_reaches_a_quarter_of_its_peak():
    rng = np.random.default_rng(0)
    template = draw(Placed(0, 0, 0.6, 5, kind="large round"), 0.05, 0.5, rng)
    # Of a sphere, thickness sqrt(1 - r2) >= 1/4 is r <= 0.968 of the radius.
    diameter_mm = 2 * np.sqrt(template.mask.sum() / np.pi) * 0.05
    assert diameter_mm == pytest.approx(0.6 * np.sqrt(1 - MASK_LEVEL**2), rel=0.03)
    assert template.thickness.max() == 1


@pytest.mark.parametrize(
    ("kind", "size_mm", "least", "most"),
    [
        ("coarse heterogeneous", 0.8, 0.6, 0.96),
        ("coarse heterogeneous", 0.35, 0.97, 1),
        ("large round", 0.8, 0.97, 1),
    ],
)
def test_large_mcs_have_uneven_outlines(kind, size_mm, least, most):
    placed = Placed(0, 0, size_mm, 5, 0.8, kind=kind)
    masks = (draw(placed, 0.01, 4.0, np.random.default_rng(seed)).mask for seed in range(20))
    solidity = np.mean([regionprops(mask.astype(np.uint8))[0].solidity for mask in masks])
    assert least < solidity < most


def test_an_inserted_mc_has_its_strength_in_local_deviations():
    rng = np.random.default_rng(0)
    tissue = 500 + 20 * coloured_noise((300, 300), 0.05, (2.8, 1.5, 2.0), rng)
    inside = np.ones(tissue.shape, bool)
    _, deviation = local_statistics(tissue, inside, (0.05, 0.05))
    inserted = insert(Ground(tissue, inside, 0.05), [Placed(150, 140, 0.3, 6)], rng)
    rise = inserted.pixels - tissue
    assert rise.max() / deviation[150, 140] == pytest.approx(6, rel=1e-3)
    assert np.unravel_index(rise.argmax(), rise.shape) == (150, 140)
    assert inserted.mask[150, 140]
    assert (rise[inserted.mask] > 0).all()


def test_an_mc_too_weak_to_see_is_drawn_but_not_counted():
    rng = np.random.default_rng(0)
    tissue = coloured_noise((200, 200), 0.05, (2.8, 1.5, 2.0), rng)
    ground = Ground(tissue, np.ones(tissue.shape, bool), 0.05, blur_px=0.8)
    unit = insert(ground, [Placed(100, 100, 0.3, 1.0)], rng).placed[0].snr
    for strength, seen in ((0.9 * VISIBLE_FROM / unit, False), (1.1 * VISIBLE_FROM / unit, True)):
        inserted = insert(ground, [Placed(100, 100, 0.3, strength)], rng)
        assert inserted.placed[0].snr == pytest.approx(strength * unit, rel=0.02)
        assert inserted.mask.any() == seen
        assert inserted.ignored[100, 100] != seen
        assert (inserted.pixels - tissue).max() > 0


def test_at_one_strength_a_coarse_mc_is_seen_better_than_a_fine_one():
    rng = np.random.default_rng(0)
    tissue = coloured_noise((300, 300), 0.05, (2.8, 1.5, 2.0), rng)
    ground = Ground(tissue, np.ones(tissue.shape, bool), 0.05, blur_px=0.8)
    both = [Placed(100, 100, 0.18, 4.0), Placed(200, 200, 0.4, 4.0)]
    fine, coarse = sorted(insert(ground, both, rng).placed, key=lambda one: one.size_mm)
    assert coarse.snr > 1.3 * fine.snr


def test_nothing_is_inserted_outside_the_breast():
    rng = np.random.default_rng(0)
    tissue = coloured_noise((200, 200), 0.05, (2.8, 1.5, 2.0), rng)
    inside = np.zeros(tissue.shape, bool)
    inside[:, :100] = True
    outside = [Placed(100, 150, 0.4, 9), Placed(-50, 20, 0.4, 9), Placed(100, 5000, 0.4, 9)]
    inserted = insert(Ground(tissue, inside, 0.05), outside, rng)
    assert np.array_equal(inserted.pixels, tissue)


def test_an_mc_at_the_very_corner_is_cut_not_refused():
    rng = np.random.default_rng(0)
    tissue = coloured_noise((100, 100), 0.05, (2.8, 1.5, 2.0), rng)
    ground = Ground(tissue, np.ones((100, 100), bool), 0.05)
    inserted = insert(ground, [Placed(0, 99, 0.4, 9)], rng)
    assert inserted.mask[0, 99]


def test_clusters_have_the_measured_sizes():
    rng = np.random.default_rng(0)
    clusters = [cluster(Site((0, 0)), 0.05, rng) for _ in range(300)]
    counts = [len(members) for members in clusters]
    sizes = [placed.size_mm for members in clusters for placed in members]
    strengths = [one.strength for members in clusters for one in members]
    # Measured on real clusters: 7 to 42 MCs, median 16; diameter 0.16 / 0.24 / 0.88 mm. A reader
    # counts what can be seen, about three of five that are drawn.
    assert 16 <= np.median(counts) <= 26
    assert 0.2 <= np.median(sizes) <= 0.3
    assert np.min(sizes) >= 0.1
    assert np.max(sizes) <= 1.2
    # Peak over local deviation 3.4 in the middle, of which noise adds about one.
    assert 1.9 <= np.median(strengths) <= 3.4


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


@pytest.mark.parametrize(("name", "value"), [("view", "LM"), ("density", "E"), ("laterality", "l")])
def test_an_unknown_option_is_refused(name, value):
    with pytest.raises(InputError, match=f"{name} '{value}' is unknown; use one of"):
        simulate_case(1, replace(SMALL, **{name: value}))


def test_film_for_processing_is_refused():
    with pytest.raises(InputError, match="film has no image for processing"):
        simulate_case(1, CaseOptions("film", raw=True))


def test_a_raw_image_is_log_attenuation_thickest_brightest():
    case = simulate_case(3, replace(SMALL, raw=True, laterality="L", view="CC"))
    assert case.mammogram.presentation == "FOR PROCESSING"
    middle = case.mammogram.pixels[200:300, 20:80]
    # 3 to 7 cm of tissue between 0.46 and 0.80 per cm.
    assert 1.2 < np.median(middle) < 6
    assert abs(np.median(case.mammogram.pixels[:, -5:])) < 0.1


def test_every_calcification_is_listed_by_the_number_it_has_in_the_labels():
    case = simulate_case(12, replace(SMALL, view="MLO", clusters=2))
    numbers = np.unique(case.labels[case.labels > 0])
    assert len(numbers) > 5
    for number in numbers:
        rows, cols = np.nonzero(case.labels == number)
        one = case.calcifications[number - 1]
        reach = 0.75 * one.size_mm / 0.2 + 1.5
        assert np.hypot(rows - one.row, cols - one.col).min() < reach
    assert not (case.mask & case.ignored).any()
    assert ((case.labels > 0) == (case.mask | case.ignored)).all()


def test_nothing_is_marked_under_the_frame_of_a_film():
    """What reaches under it is left out of the mask as a whole; the rest of it is ignored."""
    reaching = 0
    for seed in range(4):
        options = CaseOptions("film", spacing_mm=0.1, shape=(700, 500), clusters=0, singles=400)
        case = simulate_case(seed, options)
        framed = np.ptp(case.mammogram.pixels, axis=1) == 0
        assert framed.any()
        assert not case.labels[framed].any()
        unseen = [number for number, one in enumerate(case.calcifications, 1) if one.snr == 0]
        assert not case.mask[np.isin(case.labels, unseen)].any()
        reaching += int(np.isin(case.labels, unseen).any())
    assert reaching


def test_benign_calcifications_are_not_in_the_mask():
    rng = np.random.default_rng(0)
    tissue = coloured_noise((400, 400), 0.05, (2.8, 1.5, 2.0), rng)
    ground = Ground(tissue, np.ones(tissue.shape, bool), 0.05)
    for kind in BENIGN_ONES:
        inserted = insert(ground, [benign((200, 200), kind, rng)], rng)
        assert not inserted.mask.any(), kind
        assert inserted.ignored.any(), kind


@pytest.mark.parametrize("sigma", [0.5, 0.7, 1.0])
def test_the_blur_that_noise_has_gone_through_is_found(sigma):
    noise = np.random.default_rng(1).standard_normal((400, 400)).astype(np.float32)
    assert local_blur_px(gaussian_filter(noise, sigma), (200, 200), 0.05) == pytest.approx(
        sigma, abs=0.12
    )


def test_in_an_image_of_unknown_blur_mcs_are_as_sharp_as_the_grain_or_softer():
    """Grain and noise come after most of the blur, so they may tell too little of it."""
    grain = np.random.default_rng(2).standard_normal((400, 400)).astype(np.float32)
    inside, coarse = np.ones(grain.shape, bool), [Placed(200, 200, 0.6, 40)]

    def steepest(blur_px, unsharp_mm=0.0):
        ground = Ground(grain, inside, 0.05, blur_px, (unsharp_mm, unsharp_mm))
        rise = insert(ground, coarse, np.random.default_rng(3)).pixels - grain
        return np.abs(np.diff(rise / rise.max(), axis=0)).max()

    as_the_grain = steepest(local_blur_px(grain, (200, 200), 0.05))
    sharpest, softest = (steepest(None, limit) for limit in UNSHARP_MM)
    assert sharpest == pytest.approx(as_the_grain, rel=0.05)  # of another shape
    assert steepest(2.0) < softest < 0.8 * as_the_grain


def test_a_calcification_is_in_one_piece():
    rng = np.random.default_rng(3)
    for _ in range(400):
        ratio, lumps = rng.uniform(0.15, 1.0), int(rng.integers(1, 6))
        placed = Placed(0, 0, rng.uniform(0.15, 1.5), 8.0, ratio, lumps=lumps)
        template = draw(placed, 0.05, 0.8, rng)
        _, pieces = label(template.mask, np.ones((3, 3)))
        assert pieces == 1
        assert template.mask[template.thickness == 1].all()


def test_clusters_of_a_breast_keep_apart():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        breast = plan("MLO", "B", (240.0, 180.0), rng)
        placed = calcify(breast, 0.1, Contents(clusters=3, singles=0, level=3.0), rng)
        groups = [[one for one in placed if one.group == number] for number in (1, 2, 3)]
        centres_mm = [np.mean([(one.row, one.col) for one in own], axis=0) * 0.1 for own in groups]
        for a, b in ((0, 1), (0, 2), (1, 2)):
            assert np.hypot(*(centres_mm[a] - centres_mm[b])) > 20


def test_plaques_lie_on_both_walls_of_a_vessel():
    path = np.stack([np.full(200, 100.0), np.linspace(0, 400, 200)], axis=1)
    plaques = vascular(path, 12.0, 0.05, np.random.default_rng(2))
    off = np.array([one.row - 100 for one in plaques])
    assert (np.abs(np.abs(off) - 12) < 6).all()
    assert {one.kind for one in plaques} == {"vascular"}
    for wall in (off > 0, off < 0):
        along = np.sort([one.col for one, here in zip(plaques, wall, strict=True) if here])
        assert along[0] < 20
        assert along[-1] > 380
        assert np.diff(along).max() * 0.05 < 1.5  # a band, not a row of dots


@pytest.mark.parametrize("view", VIEWS)
def test_the_breast_bulges_from_the_chest_wall_and_thins_towards_its_rim(view):
    for seed in range(5):
        breast = plan(view, "B", (220.0, 160.0), np.random.default_rng(seed))
        inside = breast.outline.to_air_mm > 0
        assert 0.15 < inside.mean() < 0.9
        nipple = int(breast.outline.nipple_mm[0] / GRID_MM)
        assert inside[nipple, 0]
        assert not inside[nipple, -5:].any()
        level = replace(breast.outline, tilt=(0.0, 0.0))
        inner, skin = depths_cm(level, 1.5)
        rim = (breast.outline.to_air_mm > 0) & (breast.outline.to_air_mm < 1)
        deep = breast.outline.to_air_mm > 40
        assert (inner[rim] < 1.5).all()
        assert np.allclose((inner + skin)[deep], breast.outline.thickness_mm / 10, rtol=0.02)
        assert skin[rim].max() > 3 * skin[deep].max()  # the skin line


def test_density_orders_the_gland():
    shares = []
    for density in DENSITIES:
        outlines = [outline("CC", (220.0, 160.0), np.random.default_rng(seed)) for seed in range(4)]
        share = [
            gland_share(o, density, np.random.default_rng(9))[o.to_air_mm > 5] for o in outlines
        ]
        shares.append(np.mean(np.concatenate(share)))
    assert shares == sorted(shares)
    assert shares[-1] > 4 * shares[0]


def test_a_window_of_a_breast_is_the_same_breast():
    breast = plan("CC", "C", (120.0, 100.0), np.random.default_rng(3))
    whole = render(breast, (600, 500), 0.2, np.random.default_rng(4))
    part = render(breast, (200, 200), 0.2, np.random.default_rng(5), (40.0, 20.0))
    inner = np.s_[200:400, 100:300]
    assert np.array_equal(whole.breast[inner], part.breast)
    # Fine texture is drawn anew; what is wider than a millimetre is the plan's.
    smooth = [
        gaussian_filter(a, 6)[part.breast] for a in (whole.attenuation[inner], part.attenuation)
    ]
    assert np.corrcoef(*smooth)[0, 1] > 0.97


def test_a_window_shows_the_same_place_of_a_field_at_every_spacing():
    down, out = np.mgrid[:500, :400].astype(np.float32)
    field = 3 * down + 7 * out
    for spacing_mm in (0.05, 0.07, 0.2):
        window = window_of(field, (60, 50), spacing_mm, (10.0, 20.0))
        # The middle of the window, in the field's pixels, counted from pixel centres.
        row, col = (
            (start + n * spacing_mm / 2) / GRID_MM - 0.5 for start, n in ((10, 60), (20, 50))
        )
        assert window.mean() == pytest.approx(3 * row + 7 * col, rel=1e-4)


def test_damage_touches_a_few_places_of_a_film_alone():
    rng = np.random.default_rng(5)
    film, deviation = np.zeros((900, 700), np.float32), np.ones((900, 700), np.float32)
    damaged = film_damage(film, deviation, 0.05, rng)
    changed = np.abs(damaged) > 0.5
    assert 0 < changed.mean() < 0.05
    assert np.abs(damaged).max() >= 2
    assert (film == 0).all()


def test_the_breast_fades_into_the_air_without_a_cliff():
    case = simulate_case(6, CaseOptions("digital", 0.1, (1200, 900), clusters=0, view="CC"))
    pixels = gaussian_filter(case.mammogram.pixels, 1)
    inside = case.mammogram.pixels > 0
    to_air_mm = (
        distance_transform_edt(np.pad(inside, ((1, 1), (1, 1)), mode="edge"))[1:-1, 1:-1] * 0.1
    )
    rim = np.median(pixels[(to_air_mm > 0.1) & (to_air_mm < 0.4)])
    inner = np.median(pixels[(to_air_mm > 15) & (to_air_mm < 25)])
    assert rim < 0.7 * inner
