"""The network that knows calcified arteries: its lessons, its answers, and where it is asked."""

import json
import shutil

import numpy as np
import pytest
from MicrocalcSegmentationLib import pipeline
from MicrocalcSegmentationLib.errors import ModelError
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.inference.engines import open_network
from MicrocalcSegmentationLib.inference.windows import Work, score_patches
from MicrocalcSegmentationLib.mammogram import Mammogram, Source
from MicrocalcSegmentationLib.model import ARTERIES, load_arteries, load_model, shipped_models
from MicrocalcSegmentationLib.networks import Architecture
from MicrocalcSegmentationLib.pipeline import describe, score
from MicrocalcSegmentationLib.progress import Silent
from MicrocalcSegmentationLib.settings import Settings
from MicrocalcSegmentationLib.simulation.arteries import vessel
from MicrocalcSegmentationLib.training import pool as pool_module
from MicrocalcSegmentationLib.training.arteries import (
    FALSE_ARTERIES,
    ArteryRecipe,
    artery_points,
    train_arteries,
)
from MicrocalcSegmentationLib.training.artery_sheets import ARTERY, make_artery_sheet
from MicrocalcSegmentationLib.training.fit import BESIDE_ARTERY_PX, ON_ARTERY_PX, artery_target
from MicrocalcSegmentationLib.training.sheets import BACKGROUND, IGNORED, Sheet
from scipy.ndimage import gaussian_filter


@pytest.fixture(scope="module")
def sheets():
    return [make_artery_sheet(seed) for seed in (0, 1, 5)]


def test_the_same_seed_gives_the_same_sheet_at_half_the_resolution(sheets):
    again = make_artery_sheet(0)
    assert np.array_equal(again.pixels, sheets[0].pixels)
    assert np.array_equal(again.labels, sheets[0].labels)
    assert again.pixels.shape == again.labels.shape == (512, 512)


def test_arteries_are_drawn_where_they_are_labelled(sheets):
    """And some sheets have none, for bright vessels without calcium are to be told from them."""
    stand_out = []
    for sheet in sheets:
        pixels, artery = sheet.pixels.astype(np.float32), sheet.labels == ARTERY
        tissue = (sheet.labels == BACKGROUND) & (pixels != 0)
        if artery.sum() > 200:
            stand_out.append(pixels[artery].mean() - pixels[tissue].mean())
    assert 0 < len(stand_out) < len(sheets)
    assert min(stand_out) > 0.3


def test_vessels_are_bands_of_a_typical_height_of_one_and_calcium_is_grainy():
    grains = {}
    for calcified in (True, False):
        drawn = [vessel((900, 900), 0.05, calcified, np.random.default_rng(n)) for n in range(12)]
        drawn = [one for one in drawn if one is not None and one.band.sum() > 2000]
        assert len(drawn) >= 5
        for one in drawn:
            assert one.thickness.min() >= 0
            assert 0.3 < np.median(one.thickness[one.band]) < 3
            assert one.thickness[~one.band].max() < one.thickness.max()
        rough = [(one.thickness - gaussian_filter(one.thickness, 4))[one.band] for one in drawn]
        grains[calcified] = np.median([values.std() for values in rough])
    assert grains[True] > 2 * grains[False]


def test_on_the_artery_is_positive_and_beside_it_neither():
    labels = np.zeros((80, 80), np.uint8)
    labels[40, :40] = ARTERY
    labels[10, 60] = IGNORED
    target = artery_target(Sheet(np.ones(labels.shape, np.float16), labels), 49)
    assert target.positive[40 - ON_ARTERY_PX, 20]
    assert not target.positive[39 - ON_ARTERY_PX, 20]
    assert target.known[40, 20]
    assert not target.known[40 - BESIDE_ARTERY_PX, 20]
    assert target.known[39 - BESIDE_ARTERY_PX, 20]
    assert not target.known[10, 60]
    assert not target.positive[10, 60]


def test_a_threshold_is_worth_what_it_finds_and_marks_by_mistake():
    labels = np.zeros((512, 512), np.uint8)
    labels[100, 40:300] = ARTERY  # 26 mm
    answers = np.zeros((128, 128), np.float32)
    answers[25, 10:75] = 0.91
    answers[90, 20:60] = 0.71
    points = artery_points([(Sheet(np.ones(labels.shape, np.float16), labels), answers)])
    by = {point.threshold: point for point in points}
    area_cm2 = 5.12**2
    assert (by[0.5].found, by[0.7].found, by[0.9].found, by[0.92].found) == (1, 1, 1, 0)
    assert by[0.7].false == pytest.approx(100 / area_cm2)
    assert by[0.9].false == 0


def test_a_recipe_becomes_a_model_and_goes_on_where_it_stopped(tmp_path, monkeypatch):
    tiny = Architecture(channels=(4, 4, 4, 4, 4, 4), features=4)
    recipe = ArteryRecipe(sheets=3, validation_sheets=2, steps=2, architecture=tiny)
    made = train_arteries(recipe, tmp_path / "made", tmp_path / "work", Silent())
    assert made.training["recipe"]["seed"] == 1
    assert "3 squares of breast" in (tmp_path / "made/card.md").read_text()
    assert not (tmp_path / "made/arteries-shared.onnx").exists()  # it would be the plain one
    monkeypatch.setattr(pool_module, "_make_one", None)  # nothing may be made a second time
    again = train_arteries(recipe, tmp_path / "again", tmp_path / "work", Silent())
    assert again.digests == made.digests
    assert again.threshold == made.threshold


def test_the_shipped_one_is_no_pair_and_its_figures_bear_its_threshold_out():
    arteries = load_arteries()
    assert list(arteries.architectures) == [ARTERIES]
    assert arteries.has_onnx
    assert ARTERIES not in shipped_models()
    assert arteries is load_arteries()
    figures = arteries.figures["validation sheets (simulated arteries)"]
    assert figures["at its threshold: false ones per 100 cm2"] <= FALSE_ARTERIES


def test_a_pair_may_bring_its_own(tmp_path):
    pair = load_model()
    assert pair.arteries is load_arteries()
    shutil.copytree(pair.folder, tmp_path / "mine")
    own = tmp_path / "mine" / ARTERIES
    shutil.copytree(load_arteries().folder, own)
    manifest = json.loads((own / "manifest.json").read_text("utf-8"))
    written = json.dumps(manifest | {"version": "9", "threshold": 0.999999})
    (own / "manifest.json").write_text(written, "utf-8")
    mine = load_model(tmp_path / "mine")
    assert (mine.name, mine.arteries.version) == (pair.name, "9")
    by_shipped, by_own = (score(with_artery(), of) for of in (pair, mine))
    assert by_shipped.arteries
    assert not by_own.arteries
    assert by_shipped.arteries_model == describe(by_shipped).arteries_model == "arteries 1"
    assert by_own.arteries_model == "arteries 9"
    (own / "arteries.npz").unlink()
    (own / "manifest.json").write_text("{}", "utf-8")
    with pytest.raises(ModelError, match="not a usable manifest"):
        _ = load_model(tmp_path / "mine").arteries


def middle(cols):
    return 250 + 40 * np.sin(cols / 120)


def with_artery():
    """A mammogram with a dense calcified artery from one side to the other."""
    rng = np.random.default_rng(0)
    rows, cols = np.indices((500, 640))
    grain = gaussian_filter(rng.standard_normal(rows.shape), 2.0)
    across = np.abs(rows - middle(cols)) - 8
    wall = np.exp(-0.5 * (across / 3) ** 2 + 0.8 * grain / grain.std())
    tissue = gaussian_filter(rng.standard_normal(rows.shape), 1.0)
    pixels = 1000 + 40 * tissue / tissue.std() + 70 * wall
    return Mammogram(pixels.astype(np.float32), Geometry((0.05, 0.05)), Source("artery.png"))


@pytest.mark.parametrize("engine", ["onnx", "keras"])
def test_sliding_gives_the_answers_of_single_patches(engine):
    network = open_network(load_arteries(), ARTERIES, engine, "cpu")
    assert network.step == 4
    pixels = np.random.default_rng(3).normal(0, 1, (130, 170)).astype(np.float32)
    starts = np.argwhere(np.ones((20, 30), bool)) * 4
    work = Work(512, Silent(), "testing")
    expected = score_patches(pixels, starts, network.architecture, network.patches, work)
    found = pipeline._score_windows(pixels, starts, network, Settings(), work)
    assert found == pytest.approx(expected, abs=1e-4)


def test_an_artery_is_found_in_a_mammogram_however_the_patches_are_evaluated():
    found = [
        pipeline.score(with_artery(), load_model(), Settings(evaluation=evaluation)).arteries
        for evaluation in ("sliding", "windows")
    ]
    (sliding,), (windows,) = found
    assert np.ptp(sliding[:, 1]) > 12
    away_mm = np.abs(sliding[:, 0] - 0.05 * middle(sliding[:, 1] / 0.05))
    assert np.median(away_mm) < 0.8  # of a band that is 1 mm wide
    assert {tuple(place) for place in sliding} == {tuple(place) for place in windows}
