from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.model import load_model
from MicrocalcSegmentationLib.networks import Architecture
from MicrocalcSegmentationLib.outlines import Outline
from MicrocalcSegmentationLib.progress import Silent
from MicrocalcSegmentationLib.training import kept as kept_module
from MicrocalcSegmentationLib.training import pair as pair_module
from MicrocalcSegmentationLib.training import pool as pool_module
from MicrocalcSegmentationLib.training.fit import (
    RIM_REACH_PX,
    RIM_WEIGHT,
    Schedule,
    Tiles,
    fit,
    segmentator_target,
)
from MicrocalcSegmentationLib.training.pair import Recipe, halfway, train_pair
from MicrocalcSegmentationLib.training.pool import Wanted, fill_pool
from MicrocalcSegmentationLib.training.sheets import (
    DIGITAL,
    FILM,
    MC,
    Sheet,
    kind_of,
    make_sheet,
)
from MicrocalcSegmentationLib.training.tissue import RealTissue
from PIL import Image


@pytest.fixture(scope="module")
def sheets():
    """Three with calcifications in, found among the first seeds."""
    made = (make_sheet(seed) for seed in range(30))
    return list(islice((sheet for sheet in made if (sheet.labels == MC).any()), 3))


def test_the_same_seed_gives_the_same_sheet(sheets):
    first, second = make_sheet(1), make_sheet(1)
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.labels, second.labels)


def test_no_sheet_of_another_kind_shows_the_tissue_of_films(tmp_path):
    """Some films are shown as a digital unit would; to leave film out leaves them out too."""
    grain = np.random.default_rng(0).normal(120, 20, (1100, 1100)).clip(20, 250)
    Image.fromarray(grain.astype(np.uint8)).save(tmp_path / "tile.png")
    films = RealTissue(film=(tmp_path / "tile.png",))
    for seed in range(3):
        with_films, without = make_sheet(seed, films), make_sheet(seed)
        same = np.array_equal(with_films.pixels, without.pixels)
        assert same == (kind_of(seed) == DIGITAL)


def test_sheets_are_normalised_and_labelled_where_it_is_bright(sheets):
    for sheet in sheets:
        pixels = sheet.pixels.astype(np.float32)
        assert np.isfinite(pixels).all()
        assert 0.5 < pixels[pixels != 0].std() < 3
        assert pixels[sheet.labels == MC].mean() > pixels[sheet.labels == 0].mean() + 0.5


@pytest.mark.parametrize("which", ["detector", "segmentator"])
def test_targets_lie_where_the_network_looks(which, sheets, small):
    """A tile's target (i, j) is that of the patch that starts at (4 i, 4 j) of the tile."""
    tiles = Tiles(sheets, which, small, seed=0)
    pixels, targets, weights = tiles.batch(24)
    assert pixels.shape == (24, 112, 112, 1)
    assert targets.shape == (24, 17, 17, 2)
    positive = targets[..., 1] > 0
    assert (weights[positive] > 0).mean() > 0.5
    centres = pixels[:, 24 : 24 + 4 * 17 : 4, 24 : 24 + 4 * 17 : 4, 0]
    if which == "segmentator":
        assert centres[positive].mean() > centres[~positive].mean() + 1


def test_the_rim_of_an_mc_weighs_with_its_own_mc():
    """Else all that is near a small MC is likely MC, and it is drawn too large."""
    labels = np.zeros((60, 90), np.uint8)
    labels[20:23, 20:23] = MC
    labels[20:32, 60:72] = MC
    target = segmentator_target(Sheet(np.ones(labels.shape, np.float16), labels), 49)
    small, large = target.weight[21, 21], target.weight[25, 65]
    assert small > large
    for weight, col in ((small, 20), (large, 60)):
        rim = target.weight[21, col - RIM_REACH_PX : col].astype(float)
        assert rim == pytest.approx(RIM_WEIGHT * float(weight), rel=1e-2)
    assert target.scaled[21, 20 - RIM_REACH_PX]
    assert not target.scaled[21, 19 - RIM_REACH_PX]
    assert target.weight[50, 45] == 1


def test_a_few_steps_lower_the_loss(sheets, small):
    tiles = Tiles(sheets, "segmentator", small, 0), Tiles(sheets, "segmentator", small, 1)
    schedule = Schedule(steps=40, tiles_per_step=4, check_every=10, validation_steps=3)
    _, checks = fit("segmentator", small, tiles, schedule, Silent())
    assert checks[-1]["loss"] < checks[0]["loss"]


def test_a_recipe_becomes_a_model_and_goes_on_where_it_stopped(tmp_path, monkeypatch):
    recipe = Recipe(
        "tiny",
        sheets=2,
        validation_sheets=1,
        sparse_sheets=2,
        architecture=Architecture(channels=(4, 4, 4, 4, 4, 4), features=4),
        detector_steps=2,
        segmentator_steps=2,
    )
    made = train_pair(recipe, tmp_path / "tiny", tmp_path / "work", Silent())
    read = load_model(tmp_path / "tiny")
    assert read.training["recipe"]["seed"] == recipe.seed
    assert read.threshold == made.threshold
    card = (tmp_path / "tiny/card.md").read_text()
    assert "2 squares of breast of 5 cm with simulated MCs, seed 1" in card
    assert "All MCs were simulated" in card
    monkeypatch.setattr(pool_module, "_make_one", None)  # nothing may be made a second time
    again = train_pair(recipe, tmp_path / "again", tmp_path / "work", Silent())
    for which in ("detector", "segmentator"):
        for first, second in zip(
            read.network(which).get_weights(),
            load_model(again.folder).network(which).get_weights(),
            strict=True,
        ):
            assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"segmentator_steps": 3}, "steps 2, not 3"),
        ({"sheets": 3}, "sheets 2, not 3"),
        ({"architecture": Architecture(channels=(4,) * 6, features=5)}, "features 4, not 5"),
    ],
)
def test_what_another_recipe_left_in_the_work_folder_is_not_gone_on_from(tmp_path, other, said):
    sizes = {"sheets": 2, "validation_sheets": 1, "sparse_sheets": 2}
    tiny = Architecture(channels=(4,) * 6, features=4)
    first = Recipe("first", architecture=tiny, detector_steps=2, segmentator_steps=2, **sizes)
    train_pair(first, tmp_path / "first", tmp_path / "work", Silent())
    with pytest.raises(InputError, match=f"{said}; give another --work"):
        train_pair(replace(first, **other), tmp_path / "second", tmp_path / "work", Silent())
    assert not (tmp_path / "second").exists()


def test_sheets_of_another_simulation_are_refused_and_those_that_say_nothing_taken(
    tmp_path, monkeypatch
):
    (path,) = fill_pool(tmp_path, [Wanted(5, 1)], RealTissue(), Silent())[0]
    monkeypatch.setattr(kept_module, "SIMULATION_VERSION", "1")
    with pytest.raises(InputError, match=r"made with simulation .*, not 1; give another --work"):
        fill_pool(tmp_path, [Wanted(6, 1)], RealTissue(), Silent())
    (tmp_path / "sheets.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        fill_pool(tmp_path, [Wanted(6, 1)], RealTissue(), Silent())
    (tmp_path / "sheets.json").unlink()
    assert fill_pool(tmp_path, [Wanted(5, 1)], RealTissue(), Silent()) == [[path]]


def test_a_pair_goes_on_from_another_and_a_network_of_no_steps_stays(tmp_path):
    sizes = {"sheets": 2, "validation_sheets": 1, "sparse_sheets": 2}
    tiny = Architecture(channels=(4, 4, 4, 4, 4, 4), features=4)
    first = Recipe("first", architecture=tiny, detector_steps=1, segmentator_steps=1, **sizes)
    begun = train_pair(first, tmp_path / "first", tmp_path / "work", Silent())
    going_on = Recipe(
        "second", start=str(begun.folder), detector_steps=0, segmentator_steps=2, **sizes
    )
    made = train_pair(going_on, tmp_path / "second", tmp_path / "work", Silent())
    assert made.architectures == begun.architectures
    assert made.training["recipe"]["start"]["sha256"] == begun.digests
    same = {
        which: all(
            np.array_equal(one, made.weights(which)[name])
            for name, one in begun.weights(which).items()
        )
        for which in ("detector", "segmentator")
    }
    assert same == {"detector": True, "segmentator": False}


def test_with_no_steps_at_all_only_the_outline_of_a_pair_is_learnt(tmp_path, monkeypatch):
    sizes = {"sheets": 2, "validation_sheets": 2, "sparse_sheets": 2}
    tiny = Architecture(channels=(4, 4, 4, 4, 4, 4), features=4)
    first = Recipe("first", architecture=tiny, detector_steps=1, segmentator_steps=1, **sizes)
    begun = train_pair(first, tmp_path / "first", tmp_path / "work", Silent())
    learnt = Outline(((0.5, 1.0, -1.0),) * 5)
    monkeypatch.setattr(pair_module, "fit_outline", lambda score, sheets: learnt)
    only = Recipe("only", start=str(begun.folder), detector_steps=0, segmentator_steps=0, **sizes)
    train_pair(only, tmp_path / "only", tmp_path / "work", Silent())
    made = load_model(tmp_path / "only")
    assert made.outline == learnt
    assert made.version == "1.1"
    assert made.training["outline"]["recipe"]["start"]["sha256"] == begun.digests
    kept = ("threshold", "detector_threshold", "neighbourhood", "operating_points", "digests")
    assert {name: getattr(made, name) for name in kept} == {
        name: getattr(begun, name) for name in kept
    }


def test_an_outline_that_cannot_be_learnt_leaves_no_model_without_one(tmp_path, monkeypatch):
    tiny = Architecture(channels=(4, 4, 4, 4, 4, 4), features=4)
    sizes = {"sheets": 2, "validation_sheets": 1, "sparse_sheets": 2}
    first = Recipe("first", architecture=tiny, detector_steps=1, segmentator_steps=1, **sizes)
    begun = train_pair(first, tmp_path / "first", tmp_path / "work", Silent())
    monkeypatch.setattr(pair_module, "fit_outline", lambda score, sheets: None)
    only = Recipe("only", start=str(begun.folder), detector_steps=0, segmentator_steps=0, **sizes)
    with pytest.raises(InputError, match="too few MCs"):
        train_pair(only, tmp_path / "only", tmp_path / "work", Silent())
    assert not (tmp_path / "only").exists()


def test_a_network_that_goes_on_ends_halfway():
    before, after = [np.zeros(2, np.float32)], [np.array([1, 3], np.float32)]
    (mean,) = halfway(before, after)
    assert mean.dtype == np.float32
    assert mean.tolist() == [0.5, 1.5]


def test_a_network_of_no_steps_needs_a_pair_to_stay_from(tmp_path):
    with pytest.raises(InputError, match="0 steps"):
        train_pair(Recipe("none", detector_steps=0), tmp_path / "m", tmp_path / "w", Silent())
    assert not any(tmp_path.iterdir())


def test_sheets_of_a_kind_left_out_are_neither_made_nor_learnt_from(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(pool_module, "_make_one", lambda path, seed, *_: made.append(seed))
    monkeypatch.setattr(pool_module, "ProcessPoolExecutor", lambda *_, **__: ThreadPoolExecutor(1))
    wanted = [pool_module.Wanted(40, 30, kinds=(DIGITAL,)), pool_module.Wanted(90, 5)]
    digital, every = pool_module.fill_pool(tmp_path, wanted, RealTissue(), Silent())
    assert sorted(made) == [*(s for s in range(40, 70) if kind_of(s) == DIGITAL), *range(90, 95)]
    assert (len(digital), len(every)) == (len(made) - 5, 5)
    assert {kind_of(seed) for seed in range(40, 70)} == {DIGITAL, FILM}


def test_a_kind_of_sheet_that_there_is_none_of_is_refused(tmp_path):
    for kinds in ((), ("paper",)):
        with pytest.raises(InputError, match="digital and film"):
            train_pair(Recipe("odd", kinds=kinds), tmp_path / "odd", tmp_path / "work", Silent())
    assert not any(tmp_path.iterdir())


def test_padding_that_cannot_slide_is_refused_before_any_work(tmp_path):
    recipe = Recipe("padded", architecture=Architecture(padding="same"))
    with pytest.raises(InputError, match="'valid'"):
        train_pair(recipe, tmp_path / "model", tmp_path / "work", Silent())
    assert not any(tmp_path.iterdir())
