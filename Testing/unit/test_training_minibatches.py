"""Minibatches: their shares, their labels, and what turning and varying do to patches."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.evaluation.stored_cases import stored_cases
from MicrocalcSegmentationLib.networks import Architecture
from MicrocalcSegmentationLib.progress import Silent
from MicrocalcSegmentationLib.training.augmentation import (
    Augmentation,
    Orientations,
    as_of_other_units,
    draw_orientations,
    reach_of,
    shown_by_turned,
    turned,
    turned_offsets,
    varied,
)
from MicrocalcSegmentationLib.training.datasets import open_dataset
from MicrocalcSegmentationLib.training.datasets.annotated import (
    CLUSTER_LEVEL,
    MC_LEVEL,
    AnnotatedImage,
    Annotation,
    Dataset,
)
from MicrocalcSegmentationLib.training.minibatches import Ahead, Minibatches, Plan
from MicrocalcSegmentationLib.training.samples.access import Samples, Selection
from MicrocalcSegmentationLib.training.samples.build import BuildOptions, build
from MicrocalcSegmentationLib.training.samples.classes import C1, C2, C3, C4, MC, UNCERTAIN

TURNED_ALONE = Augmentation(turned=1, gain=1, curve=0, sharpened=0, noisy=0)
NETWORKS = ["detector", "segmentator"]


@pytest.fixture
def samples(sample_database):
    opened = Samples(sample_database)
    yield opened
    opened.close()


def middle_of(squares):
    """What `turned` cuts patches with, for squares that are at hand."""

    def cut(members, reach):
        middle = slice(squares.shape[1] // 2 - reach, squares.shape[1] // 2 + reach + 1)
        return squares[members, middle, middle]

    return cut


def showing_marks(samples):
    """The same database, its images replaced by their own MC masks."""
    whole = samples.array
    samples.array = lambda number, what: (
        whole(number, what) if what == "labels" else (whole(number, "labels") == MC) * np.int16(256)
    )
    return samples


@pytest.mark.parametrize("network", NETWORKS)
def test_half_of_a_minibatch_is_positive_and_classes_have_their_stated_shares(samples, network):
    batch = Minibatches(samples, Plan(network, Architecture())).batch(0)
    assert batch.patches.shape == (256, 49, 49, 1)
    assert batch.targets.shape == (256, 1, 1, 2)
    positive = batch.targets[:, 0, 0, 1] == 1
    assert (batch.targets.sum(axis=-1) == 1).all()
    counts = {c: int((batch.samples[:, 3] == c).sum()) for c in (C1, C2, C3, C4)}
    if network == "detector":
        assert set(batch.samples[positive, 3]) == {C1, C2, C3}
        assert counts == {C1: 38, C2: 39, C3: 51, C4: 128}
    else:
        assert set(batch.samples[positive, 3]) == {C1}
        assert counts == {C1: 128, C2: 38, C3: 39, C4: 51}
    split = {image.number: image.split for image in samples.images()}
    assert {split[number] for number in batch.samples[:, 0]} == {"train"}


@pytest.mark.parametrize("padding", ["valid", "context"])
@pytest.mark.parametrize("network", NETWORKS)
def test_labels_hold_for_what_a_turned_patch_shows(samples, network, padding):
    architecture = Architecture(padding=padding)
    plan = Plan(network, architecture, augmentation=TURNED_ALONE)
    minibatches = Minibatches(showing_marks(samples), plan)
    for number in range(6):
        batch = minibatches.batch(number)
        part = slice(architecture.margin, architecture.margin + 49)
        patches = batch.patches[:, part, part, 0]
        positive = batch.targets[:, 0, 0, 1] == 1
        shown = patches[:, 24, 24] if network == "segmentator" else patches.max(axis=(1, 2))
        assert (shown[positive] > 0.25).all()
        if network == "segmentator":  # interpolation leaves a trace of a neighbour that is MC
            positive, shown = ~np.isin(batch.samples[:, 3], (C3, C4)), patches[:, 24, 24]
        assert np.abs(shown[~positive]).max() < 0.1


def test_no_turned_patch_without_mc_shows_what_may_be_one(tmp_path, make_breast):
    mammogram, mask = make_breast(1)
    uncertain = np.zeros_like(mask)
    uncertain[40:360:45, 20:200:45] = True  # lone pixels: patches between them are C4
    annotation = Annotation(mammogram, mask, uncertain & ~mask)
    file = tmp_path / "a.dcm"
    file.touch()
    image = AnnotatedImage("a", "P1", "test", (file,), lambda: annotation, kind="digital")
    dataset = Dataset(tmp_path, "folder", (image,))
    options = BuildOptions((49,), workers=1)
    samples = Samples(build([dataset], tmp_path / "s.sqlite", options, Silent()))
    whole = samples.array
    samples.array = lambda number, what: (
        whole(number, what)
        if what == "labels"
        else (whole(number, "labels") == UNCERTAIN) * np.int16(256)
    )
    minibatches = Minibatches(samples, Plan("detector", Architecture(), augmentation=TURNED_ALONE))
    for number in range(6):
        batch = minibatches.batch(number)
        shown = batch.patches[batch.samples[:, 3] == C4].max(axis=(1, 2, 3))
        assert len(shown) > 50
        assert shown.max() < 0.1


def test_the_same_number_and_seed_give_the_same_minibatch(samples):
    plan = Plan("segmentator", Architecture(29), size=32)
    first = Minibatches(samples, plan).batch(7)
    again = Minibatches(samples, plan).batch(7)
    assert np.array_equal(first.patches, again.patches)
    assert np.array_equal(first.targets, again.targets)
    assert not np.array_equal(first.samples, Minibatches(samples, plan).batch(8).samples)
    other = Minibatches(samples, replace(plan, seed=1)).batch(7)
    assert not np.array_equal(first.samples, other.samples)


def test_minibatches_made_ahead_are_the_same(samples):
    minibatches = Minibatches(samples, Plan("detector", Architecture(29), size=16))
    with Ahead(minibatches, 3) as ahead:
        for number in (3, 4, 5):
            assert np.array_equal(ahead.take().patches, minibatches.batch(number).patches)


def test_without_augmentation_a_patch_is_the_image_around_its_centre(samples):
    plan = Plan("detector", Architecture(), augmentation=None, size=16)
    batch = Minibatches(samples, plan).batch(0)
    expected = samples.squares(batch.samples, 49)
    assert np.array_equal(batch.patches[..., 0], expected)


def test_a_context_patch_is_the_same_patch_with_its_surroundings(samples):
    plan = Plan("detector", Architecture(), augmentation=None)
    plain = Minibatches(samples, plan)
    wide = Minibatches(samples, replace(plan, architecture=Architecture(padding="context")))
    chosen = plain.batch(0).samples
    assert wide.patches(chosen).shape[1:] == (86, 86, 1)
    assert np.array_equal(wide.patches(chosen)[:, 19:68, 19:68], plain.patches(chosen))


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 89),
    st.integers(0, 3),
    st.booleans(),
    st.tuples(st.integers(-8, 8), st.integers(-8, 8)),
)
def test_a_speck_is_found_where_the_turn_takes_it(degrees, quarters, flipped, offset):
    half = 14
    reach = reach_of(half, degrees)
    rows, cols = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    speck = np.exp(-((rows - offset[0]) ** 2 + (cols - offset[1]) ** 2) / 4)
    one = Orientations(np.array([degrees]), np.array([quarters]), np.array([flipped]))
    patch = turned(middle_of(speck[None].astype(np.float32)), half, one)[0]
    row, col = turned_offsets(np.array([offset]), np.array([degrees]))[0]
    for _ in range(quarters):
        row, col = -col, row
    row = -row if flipped else row
    weights = np.clip(patch, 0, None) * (patch > 0.02)
    rows, cols = np.mgrid[-half : half + 1, -half : half + 1]
    centroid = (weights * rows).sum() / weights.sum(), (weights * cols).sum() / weights.sum()
    assert np.allclose(centroid, (row, col), atol=0.1)
    assert patch.max() > 0.85  # cubic interpolation keeps peaks


def test_no_corner_of_a_turned_patch_is_empty():
    def cut(members, reach):
        return np.full((len(members), 2 * reach + 1, 2 * reach + 1), 3.0, np.float32)

    degrees = np.arange(90)
    orientations = Orientations(degrees, degrees % 4, degrees % 2 == 0)
    assert np.allclose(turned(cut, 24, orientations), 3, atol=1e-4)


@pytest.mark.parametrize("degrees", [1, 37, 45, 80])
def test_a_turned_patch_shows_nothing_of_what_is_said_to_lie_beyond_it(degrees):
    half = 14
    reach = reach_of(half, degrees)
    beyond = ~shown_by_turned(reach, half + 1, degrees)
    one = Orientations(np.array([degrees]), np.array([0]), np.array([False]))
    patch = turned(middle_of(beyond[None].astype(np.float32)), half, one)[0]
    assert np.abs(patch).max() < 0.2  # interpolation leaves a trace at corners
    inside = shown_by_turned(reach, half - 1, degrees)
    patch = turned(middle_of(inside[None].astype(np.float32)), half, one)[0]
    assert patch.sum() == pytest.approx(inside.sum(), rel=0.01)


def test_patches_turned_by_quarters_keep_their_pixels():
    rng = np.random.default_rng(2)
    squares = rng.normal(size=(40, 25, 25)).astype(np.float32)
    orientations = draw_orientations(rng, 40, Augmentation(turned=0))
    patches = turned(middle_of(squares), 7, orientations)
    middle = squares[:, 5:20, 5:20]
    assert np.array_equal(np.sort(patches.reshape(40, -1)), np.sort(middle.reshape(40, -1)))
    assert np.array_equal(patches[:, 7, 7], middle[:, 7, 7])
    assert not np.array_equal(patches, middle)


def test_variation_changes_contrast_sharpness_and_noise_but_not_the_outside():
    rng = np.random.default_rng(3)
    patches = rng.normal(size=(300, 29, 29)).astype(np.float32)
    patches[:, :, :5] = 0
    before = patches.copy()
    after = varied(patches, rng, Augmentation())
    assert (after[:, :, :5] == 0).all()
    ratio = after[:, :, 5:].std(axis=(1, 2)) / before[:, :, 5:].std(axis=(1, 2))
    assert ratio.min() < 0.75
    assert ratio.max() > 1.5
    assert np.isfinite(after).all()
    still = Augmentation(gain=1, curve=0, sharpened=0, noisy=0)
    assert np.allclose(varied(before.copy(), rng, still), before, atol=1e-6)


def test_regions_of_cluster_level_teach_the_detector_and_not_the_segmentator(
    tmp_path, sample_database, make_breast
):
    mammogram, mask = make_breast(3)
    mask[150:200, 40:90] = True
    file = tmp_path / "film.dcm"
    file.touch()
    annotation = Annotation(mammogram, mask, mask & False)
    fields = {"kind": "film", "level": CLUSTER_LEVEL}
    image = AnnotatedImage("P1", "P1", "CBIS-DDSM", (file,), lambda: annotation, **fields)
    dataset = Dataset(tmp_path, "cbis-ddsm", (image,))
    options = BuildOptions((49,), workers=1)
    samples = Samples(build([dataset], tmp_path / "film.sqlite", options, Silent()))
    batch = Minibatches(samples, Plan("detector", Architecture())).batch(0)
    assert [(batch.samples[:, 3] == c).sum() for c in (5, C4)] == [128, 128]
    with pytest.raises(InputError, match="outlines regions that hold calcifications, not the"):
        Minibatches(samples, Plan("segmentator", Architecture()))
    (case,) = stored_cases(tmp_path / "film.sqlite", "train")
    assert case.name.level == CLUSTER_LEVEL
    with pytest.raises(InputError, match="its images outline regions, not MCs"):
        stored_cases(tmp_path / "film.sqlite", "train", (MC_LEVEL,))


def test_a_split_without_positives_is_refused(samples, tmp_path, make_breast):
    import SimpleITK as sitk

    mammogram, mask = make_breast(1, mcs=0)
    for name, values in (("a", mammogram.pixels), ("a_mask", mask.astype(np.uint8))):
        image = sitk.GetImageFromArray(values)
        image.SetSpacing((0.1, 0.1))
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))
    options = BuildOptions((49,), workers=1)
    empty = Samples(build([open_dataset(tmp_path)], tmp_path / "e.sqlite", options, Silent()))
    with pytest.raises(InputError, match="no positive sample for the detector in the split train"):
        Minibatches(empty, Plan("detector", Architecture()))
    assert empty.select(Selection(49, (C4,))).count > 0


def test_noise_lowers_what_stands_out_as_it_does_in_an_image_normalised_anew():
    rng = np.random.default_rng(5)
    texture = rng.standard_normal((20, 60, 60)).astype(np.float32)
    texture[:, 28:32, 28:32] += 6
    texture[:, :5] = 0  # outside the breast
    noisy = Augmentation(gain=1, curve=0, sharpened=0, noisy=1, noise=2, grain=0)
    after = as_of_other_units(texture.copy(), rng, noisy)
    spread = [np.abs(patches[:, 40:]).mean() for patches in (texture, after)]
    assert spread[1] == pytest.approx(spread[0], rel=0.05)
    assert after[:, 28:32, 28:32].mean() < 0.9 * texture[:, 28:32, 28:32].mean()
    assert not after[:, :5].any()
