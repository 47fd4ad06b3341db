"""Analysis of a pair: features, worst patches, false positives by place; and mining."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from MicrocalcSegmentationLib.errors import Cancelled, InputError
from MicrocalcSegmentationLib.evaluation.error_conditions import (
    DIAMETER,
    HEIGHT,
    KIND,
    TO_MC,
    error_conditions,
    of_nearest,
)
from MicrocalcSegmentationLib.evaluation.features import (
    AnalysisOptions,
    Looked,
    analyse,
    embedded,
    nearest_opposite,
    worst_of_each,
)
from MicrocalcSegmentationLib.model import Model, load_model, save_model
from MicrocalcSegmentationLib.networks import Architecture, build
from MicrocalcSegmentationLib.progress import Silent
from MicrocalcSegmentationLib.training.features import features_and_scores
from MicrocalcSegmentationLib.training.minibatches import POSITIVE, Minibatches, Plan
from MicrocalcSegmentationLib.training.mining import MiningOptions, mine
from MicrocalcSegmentationLib.training.samples.access import Samples
from MicrocalcSegmentationLib.training.samples.classes import C1, C2, C3, C4, MC, class_map
from MicrocalcSegmentationLib.training.scoring import scores_of
from PIL import Image

TINY = Architecture(29, channels=(3, 3, 3, 3, 3, 3), features=6)


@pytest.fixture
def model(tmp_path):
    """A pair that calls about every second patch positive."""
    pair = {which: build(TINY, which) for which in ("detector", "segmentator")}
    made = Model("tiny", "1", tmp_path / "tiny", dict.fromkeys(pair, TINY), 0.7, 0.5)
    save_model(made, pair)
    return load_model(made.folder)


@pytest.fixture
def database(sample_database, tmp_path):
    """A copy that may be written to."""
    copy = tmp_path / "copy.sqlite"
    shutil.copyfile(sample_database, copy)
    shutil.copytree(f"{sample_database}.cache", f"{copy}.cache")
    return copy


def looked(scores, positive, features, classes):
    n = len(scores)
    samples = np.column_stack([np.zeros((n, 3), int), classes])
    patches = np.zeros((n, 5, 5), np.float32)
    return Looked(patches, samples, np.array(features), np.array(scores), np.array(positive))


def test_the_worst_patches_are_the_most_wrong_of_each_class():
    seen = looked(
        scores=[0.1, 0.4, 0.9, 0.6, 0.99, 0.2],
        positive=[True, True, True, False, False, False],
        features=np.zeros((6, 2)),
        classes=[1, 1, 1, 4, 4, 4],
    )
    assert seen.wrong.tolist() == [True, True, False, True, True, False]
    assert worst_of_each(seen, 2).tolist() == [0, 1, 4, 3]
    assert worst_of_each(seen, 1).tolist() == [0, 4]


def test_neighbours_are_of_the_opposite_label_and_nearest_first():
    seen = looked(
        scores=[0.1] * 5,
        positive=[True, False, False, True, False],
        features=[[0, 0], [3, 0], [1, 0], [0.1, 0], [2, 0]],
        classes=[1, 4, 4, 1, 4],
    )
    assert nearest_opposite(seen, 0, 2).tolist() == [2, 4]
    assert nearest_opposite(seen, 4, 9).tolist() == [3, 0]


def test_features_are_what_the_last_layer_decides_from(model):
    patches = np.random.default_rng(0).normal(size=(7, 29, 29, 1)).astype(np.float32)
    features, scores = features_and_scores(model.detector, patches)
    assert features.shape == (7, 6)
    kernel, bias = model.detector.get_layer("fc2").get_weights()
    logits = features @ kernel[0, 0] + bias
    expected = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    assert np.allclose(scores, expected, atol=1e-5)
    assert np.allclose(scores, scores_of(model.detector, patches), atol=1e-5)


def test_groups_that_differ_lie_apart_on_the_map():
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(0, 1, (40, 6)), rng.normal(8, 1, (40, 6))])
    places = embedded(features, seed=1)
    first, second = places[:40], places[40:]
    between = np.linalg.norm(first.mean(0) - second.mean(0))
    assert between > 3 * max(first.std(), second.std()) / 2
    assert np.array_equal(places, embedded(features, seed=1))


def test_an_analysis_writes_maps_worst_patches_and_false_positives(
    model, sample_database, tmp_path
):
    samples = Samples(sample_database)
    options = AnalysisOptions("train", per_class=30, worst=3, per_place=200)
    said = analyse(model, samples, tmp_path / "out", options, Silent())
    assert json.loads((tmp_path / "out" / "analysis.json").read_text()) == said
    for which in ("detector", "segmentator"):
        for name in ("map", "worst", "false_positives"):
            picture = np.asarray(Image.open(tmp_path / "out" / f"{which}_{name}.png").convert("L"))
            assert picture.std() > 5
        with (tmp_path / "out" / f"{which}_map.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == said[which]["patches"] == 4 * 30
        assert sum(int(row["wrong"]) for row in rows) == said[which]["wrong"]
        rates = {(r["kind"], r["place"]): r for r in said[which]["false positives"]}
        assert {kind for kind, _ in rates} == {"digital", "film"}
        assert ("film", "skin line") in rates
        assert ("film", "chest wall") in rates
        for rate in rates.values():
            assert rate["rate"] == pytest.approx(rate["false"] / rate["negatives"])
        with (tmp_path / "out" / f"{which}_conditions.csv").open() as file:
            by_class = {row["class"] for row in csv.DictReader(file)}
        assert by_class == {"C1", "C2", "C3", "C4"}
    other = replace(model, architectures=dict.fromkeys(model.architectures, Architecture(39)))
    with pytest.raises(InputError, match="holds no samples for patches of 39"):
        analyse(other, samples, tmp_path / "no", options, Silent())


class AlwaysMc:
    def predict_on_batch(self, patches):
        return np.tile(np.float32([0, 1]), (len(patches), 1, 1, 1))


def test_errors_are_counted_by_what_they_depend_on(sample_database):
    samples = Samples(sample_database)
    minibatches = Minibatches(samples, Plan("segmentator", TINY, augmentation=None))
    found = error_conditions(AlwaysMc(), minibatches, samples, 200)
    assert {one.sample_class: one.error for one in found} == {"C1": 0, "C2": 1, "C3": 1, "C4": 1}
    counts = {}
    for one in found:
        key = one.sample_class, one.name
        counts[key] = counts.get(key, 0) + one.patches
    assert set(counts.values()) == {200}  # every patch is in one group of each condition
    assert {name for sample_class, name in counts if sample_class == "C2"} == {
        KIND, TO_MC, HEIGHT, DIAMETER
    }  # fmt: skip


def test_an_mc_is_measured_where_it_is():
    marked = np.zeros((99, 99), bool)
    marked[40:45, 53:58] = True  # 25 pixels: 0.28 mm; 4 columns right of the centre, 5 rows up
    marked[95, 95] = True
    values = np.where(marked, 3.0, 0.5)
    values[42, 55], values[95, 95] = 6.0, 9.0
    inwards, outwards, from_edge, peak, diameter = of_nearest(marked, values, 14)
    assert (inwards, from_edge, peak) == (0, 14 - 5, 6.0)
    assert outwards == pytest.approx(np.hypot(5, 4))
    assert diameter == pytest.approx(0.05 * np.sqrt(4 * 25 / np.pi))
    centred = np.roll(marked, (7, -6), (0, 1))
    assert of_nearest(centred, values, 14)[:2] == (3, 0)  # in the middle of five by five


def test_mining_finds_what_the_pair_gets_wrong_on_training_images(model, database):
    found = mine(model, database, MiningOptions(per_image=40, every=4), Silent())
    samples = Samples(database)
    train = {image.number: image for image in samples.images(("train",))}
    assert found["segmentator"] > 0
    for which, threshold in (("detector", 0.5), ("segmentator", 0.5)):
        mined = samples.mined(which, 29)
        mined = mined[~np.isin(mined[:, 3], POSITIVE[which])]
        assert len(mined) == found[which] <= 40 * len(train)
        plan = Plan(which, TINY, augmentation=None)
        scores = scores_of(model.network(which), Minibatches(samples, plan).patches(mined))
        assert (scores > threshold - 1e-5).all()  # batches of another size round otherwise
        assert set(mined[:, 3]) <= ({C4} if which == "detector" else {C2, C3, C4})
        for number in train:
            own = mined[mined[:, 0] == number]
            classes = class_map(np.array(samples.array(number, "labels")), 29)
            assert (classes[own[:, 1], own[:, 2]] == own[:, 3]).all()
    before = samples.mined("segmentator", 29)
    again = mine(model, database, MiningOptions(per_image=40, every=4), Silent())
    assert again == found
    assert np.array_equal(samples.mined("segmentator", 29), before)


def test_an_interrupted_mining_leaves_what_was_mined_before(model, database):
    class StopsHalfway:
        def report(self, fraction, text):
            if fraction > 0.5:
                raise Cancelled

    options = MiningOptions(per_image=20, every=4)
    with pytest.raises(Cancelled):
        mine(model, database, options, StopsHalfway())
    assert len(Samples(database).mined("segmentator", 29)) == 0
    mine(model, database, options, Silent())
    before = Samples(database).mined("segmentator", 29)
    with pytest.raises(Cancelled):
        mine(model, database, replace(options, per_image=10), StopsHalfway())
    assert np.array_equal(Samples(database).mined("segmentator", 29), before)


def says(network, positive):
    kernel, _ = network.get_layer("fc2").get_weights()
    answer = [-9.0, 9.0] if positive else [9.0, -9.0]
    network.get_layer("fc2").set_weights([0 * kernel, np.array(answer)])


def test_mining_adds_the_mcs_that_a_network_was_asked_about_and_found_nowhere(model, database):
    samples = Samples(database)
    train = samples.images(("train",))
    says(model.detector, False)
    says(model.segmentator, False)
    assert mine(model, database, MiningOptions(), Silent()) == {"detector": 0, "segmentator": 0}
    shown = samples.mined("detector", 29)
    assert set(shown[:, 3]) == {C1, C2, C3}
    assert set(shown[:, 0]) == {image.number for image in train}
    assert len(samples.mined("segmentator", 29)) == 0  # the detector passed nothing on to it
    says(model.detector, True)
    mine(model, database, MiningOptions(), Silent())
    mined = samples.mined("segmentator", 29)
    assert set(mined[:, 3]) == {C1}
    for image in train:
        marked = np.array(samples.array(image.number, "labels")) == MC
        assert (mined[:, 0] == image.number).sum() == marked.sum()
    batch = Minibatches(samples, Plan("segmentator", TINY, size=64)).batch(0)
    hard = {tuple(row) for row in mined.tolist()}
    assert sum(tuple(row) in hard for row in batch.samples.tolist()) >= 8
    assert (batch.targets[..., 1] == 1).sum() == 32
    says(model.segmentator, True)
    mine(model, database, MiningOptions(), Silent())
    assert C1 not in samples.mined("segmentator", 29)[:, 3]


def test_a_quarter_of_the_negatives_are_mined_ones_once_there_are_any(model, database):
    before = Minibatches(Samples(database), Plan("segmentator", TINY, size=64)).batch(0)
    mine(model, database, MiningOptions(per_image=20, every=4), Silent())
    samples = Samples(database)
    mined = {tuple(row) for row in samples.mined("segmentator", 29).tolist()}
    batch = Minibatches(samples, Plan("segmentator", TINY, size=64)).batch(0)
    drawn = [tuple(row) for row in batch.samples.tolist()]
    assert sum(row in mined for row in drawn) >= 8
    assert (batch.targets[..., 1] == 1).sum() == 32
    assert not np.array_equal(before.samples, batch.samples)
    without = Minibatches(samples, Plan("segmentator", TINY, size=64, mined=0)).batch(0)
    assert np.array_equal(before.samples, without.samples)
