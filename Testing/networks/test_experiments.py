"""Experiments: trained alike, judged on test patients, laid out as the method's Table 2."""

import csv
import json
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from MicrocalcSegmentationLib.errors import Cancelled, InputError
from MicrocalcSegmentationLib.evaluation import experiments
from MicrocalcSegmentationLib.evaluation.experiment_tables import write_results
from MicrocalcSegmentationLib.evaluation.experiments import (
    Experiment,
    Setting,
    Variant,
    experiment,
    run_experiment,
)
from MicrocalcSegmentationLib.evaluation.stored_cases import stored_cases
from MicrocalcSegmentationLib.model import load_model
from MicrocalcSegmentationLib.networks import Architecture
from MicrocalcSegmentationLib.pipeline import segment
from MicrocalcSegmentationLib.progress import Silent
from MicrocalcSegmentationLib.settings import Settings
from MicrocalcSegmentationLib.training.datasets import open_dataset
from MicrocalcSegmentationLib.training.learning import Course
from MicrocalcSegmentationLib.training.samples.access import Samples
from MicrocalcSegmentationLib.training.samples.build import BuildOptions, build
from PIL import Image

TINY = Architecture(29, channels=(2, 2, 2, 2, 2, 2), features=2)
VARIANTS = {p: Variant(replace(TINY, padding=p)) for p in ("same", "valid", "context")}
COURSE = Course(steps=2, batch_size=8, check_every=1, held=1, judged=40, judged_far=40)


@pytest.fixture
def setting(sample_database, tmp_path):
    return Setting(sample_database, tmp_path, COURSE, segment, Settings(), 0, 50)


def test_the_methods_own_experiments_are_there():
    padding = experiment("padding")
    shapes = {name: variant.architecture for name, variant in padding.variants.items()}
    assert [(n, a.patch_side, a.padding) for n, a in shapes.items()] == [
        ("same", 49, "same"),
        ("valid", 49, "valid"),
        ("context", 49, "context"),
    ]
    side = experiment("side", padding="same")
    shapes = [variant.architecture for variant in side.variants.values()]
    assert [(a.patch_side, a.padding) for a in shapes] == [
        (29, "same"),
        (39, "same"),
        (49, "same"),
    ]
    with pytest.raises(InputError, match="experiment 'depth' is unknown"):
        experiment("depth")


def test_a_padding_experiment_makes_table_2(setting, tmp_path):
    one = Experiment("padding", VARIANTS)
    results = run_experiment(one, setting, Silent())
    table = write_results(one, results, tmp_path)
    lines = table.splitlines()
    assert lines[0].endswith("Data: simulated.")
    heads = [cell.strip() for cell in lines[2].split("|")[1:-1]]
    assert heads == [
        "class",
        *(f"{w}, {p}" for w in ("detector", "segmentator") for p in ("same", "valid", "context")),
    ]
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in lines[4:9]}
    assert list(rows) == ["C1", "C2", "C3", "C4", "**accuracy**"]
    for variant, cell in zip(VARIANTS, rows["C4"][:3], strict=True):
        assert float(cell) == pytest.approx(
            100 * results[variant]["errors"]["detector"]["C4"], abs=0.01
        )
    assert lines[-1] == "All data are simulated: the figures say nothing about real images."
    with (tmp_path / "table.csv").open() as file:
        stored = list(csv.DictReader(file))
    assert len(stored) == 3 * 2 * 5
    assert {row["patches"] for row in stored if row["class"] == "C4"} == {"50"}
    for name in ("errors", "detector", "segmentator"):
        picture = np.asarray(Image.open(tmp_path / f"{name}.png").convert("L"))
        assert picture.std() > 5


def test_a_stopped_experiment_goes_on_and_finished_pairs_are_kept(setting, monkeypatch):
    one = Experiment("padding", {p: VARIANTS[p] for p in ("same", "valid")})

    class StopInTheSecond:
        def report(self, fraction, text):
            if fraction > 0.7:
                raise Cancelled

    with pytest.raises(Cancelled):
        run_experiment(one, setting, StopInTheSecond())
    results = run_experiment(one, setting, Silent())
    monkeypatch.setattr(experiments, "train_network", None)  # nothing is trained again
    assert run_experiment(one, setting, Silent()) == results
    with pytest.raises(InputError, match=r"result.json: is of other settings; give those"):
        run_experiment(one, replace(setting, course=replace(COURSE, seed=3)), Silent())


def test_results_of_a_database_that_has_changed_are_refused(
    setting, both_kinds_everywhere, monkeypatch
):
    def judge(folder, key, *_):
        folder.mkdir()
        (folder / "result.json").write_text(json.dumps({"key": key}))

    monkeypatch.setattr(experiments, "_train", lambda *_: None)
    monkeypatch.setattr(experiments, "_judge", judge)
    one = Experiment("padding", {"valid": VARIANTS["valid"]})
    changing = replace(setting, samples=both_kinds_everywhere, output=setting.output / "out")
    changing.output.mkdir()
    run_experiment(one, changing, Silent())
    result = run_experiment(one, changing, Silent())["valid"]
    with sqlite3.connect(both_kinds_everywhere) as connection:
        connection.execute("UPDATE images SET labels_sha256 = 'other' WHERE id = 1")
    with pytest.raises(InputError, match=r"result.json: the database has changed since; begin an"):
        run_experiment(one, changing, Silent())
    del result["key"]["samples_sha256"]
    (changing.output / "valid" / "result.json").write_text(json.dumps(result))
    with pytest.raises(InputError, match=r"result.json: does not say of which samples it is"):
        run_experiment(one, changing, Silent())


def test_an_experiment_goes_on_with_more_steps_and_patches(setting, tmp_path):
    one = Experiment("padding", {"valid": VARIANTS["valid"]})
    run_experiment(one, setting, Silent())
    longer = replace(setting, course=replace(COURSE, steps=4), test_patches=60)
    gone_on = run_experiment(one, longer, Silent())
    assert [entry["step"] for entry in gone_on["valid"]["checks"]["detector"]] == [1, 2, 3, 4]
    assert gone_on["valid"]["patches"]["detector"]["4"] == 60
    at_once = run_experiment(one, replace(longer, output=tmp_path / "at once"), Silent())
    assert gone_on == at_once


def test_every_pair_is_trained_before_the_first_is_judged(setting, tmp_path, monkeypatch):
    one = Experiment("padding", {p: VARIANTS[p] for p in ("same", "valid")})
    judged = []

    def judge(folder, *_):
        assert all((setting.output / p / "model" / "manifest.json").is_file() for p in one.variants)
        judged.append(folder.name)
        return {}

    monkeypatch.setattr(experiments, "_judge", judge)
    run_experiment(one, setting, Silent())
    assert judged == ["same", "valid"]


def test_pairs_are_judged_on_the_whole_images_of_test_patients(
    setting, tmp_path, make_findings, sample_database
):
    seen = []

    def nothing_found(mammogram, model, settings, progress):
        seen.append(mammogram.source.name)
        return make_findings({}, [], mammogram.geometry, mammogram.pixels.shape)

    whole = replace(setting, segment=nothing_found, whole_images=None)
    one = Experiment("padding", {"valid": Variant(TINY)})
    results = run_experiment(one, whole, Silent())
    cases = stored_cases(sample_database)
    assert seen == [f"{case.name.name}.nrrd" for case in cases]
    truth = [case.load().mask for case in cases]
    share = sum(mask.sum() for mask in truth) / sum(mask.size for mask in truth)
    figures = results["valid"]["whole"]
    assert figures["pixel_accuracy"]["value"] == pytest.approx(1 - share)
    assert figures["pixel_fpr"]["value"] == 0
    table = write_results(one, results, tmp_path)
    assert "| whole-image pixel accuracy | 0.99" in table
    assert f"| {len(cases)} whole test images | valid |" in table


@pytest.fixture
def both_kinds_everywhere(tmp_path, write_breast):
    """A sample database of six images, one digital and one film in each split."""
    for seed, split in enumerate(np.repeat(("train", "validation", "test"), 2).tolist()):
        write_breast(tmp_path / "cases", f"case{seed}", seed)
        known = tmp_path / "cases" / f"case{seed}.json"
        known.write_text(json.dumps({**json.loads(known.read_text()), "split": split}))
    options = BuildOptions(patch_sides=(29,), workers=1)
    return build([open_dataset(tmp_path / "cases")], tmp_path / "s.sqlite", options, Silent())


def test_the_first_whole_images_of_each_kind_are_judged_where_so_many_are_asked_for(
    setting, make_findings, sample_database
):
    seen = []

    def nothing_found(mammogram, model, settings, progress):
        seen.append(mammogram.source.name)
        return make_findings({}, [], mammogram.geometry, mammogram.pixels.shape)

    one = Experiment("padding", {"valid": Variant(TINY)})
    result = run_experiment(one, replace(setting, segment=nothing_found, whole_images=1), Silent())
    cases = stored_cases(sample_database)
    kinds = {case.name.kind for case in cases}
    firsts = [next(case for case in cases if case.name.kind == kind) for kind in sorted(kinds)]
    assert seen == [f"{case.name.name}.nrrd" for case in firsts]
    assert result["valid"]["images"] == len(firsts)


def test_a_kind_that_is_left_out_is_learnt_from_nowhere(
    setting, tmp_path, make_findings, both_kinds_everywhere
):
    kinds = Samples(both_kinds_everywhere).kinds
    assert kinds == ("digital", "film")

    def nothing_found(mammogram, model, settings, progress):
        return make_findings({}, [], mammogram.geometry, mammogram.pixels.shape)

    whole = replace(
        setting, samples=both_kinds_everywhere, segment=nothing_found, whole_images=None
    )
    planned = experiment("kinds", kinds=kinds)
    assert list(planned.variants) == ["all", *(f"without {kind}" for kind in kinds)]
    variants = {n: replace(v, architecture=TINY) for n, v in planned.variants.items()}
    one = replace(planned, variants=variants)
    results = run_experiment(one, whole, Silent())
    for kind in kinds:
        training = load_model(tmp_path / f"without{kind}" / "model").training
        for learnt in training["networks"].values():
            assert learnt["data"]["images"]
            assert not any(kind in group for group in learnt["data"]["images"])
        assert kind in results["all"]["by kind"]
    table = write_results(one, results, tmp_path)
    for kind in kinds:
        assert f"| whole test images, {kind} | all | without {kind} | points lost |" in table


def test_nothing_is_left_when_the_only_kind_is_left_out():
    with pytest.raises(InputError, match="all images are of kind film; to leave one out takes two"):
        experiment("kinds", kinds=("film",))
