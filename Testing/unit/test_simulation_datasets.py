"""Whole data sets: their plan, their files, and stopping and going on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pydicom
import pytest
from MicrocalcSegmentationLib.cli import main
from MicrocalcSegmentationLib.errors import Cancelled, InputError
from MicrocalcSegmentationLib.evaluation.cases import folder_cases, simulated_cases
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Mammogram, Source
from MicrocalcSegmentationLib.progress import Silent
from MicrocalcSegmentationLib.simulation import datasets
from MicrocalcSegmentationLib.simulation.calcifications import Placed
from MicrocalcSegmentationLib.simulation.cases import SimulatedCase
from MicrocalcSegmentationLib.simulation.datasets import Making, make_dataset
from MicrocalcSegmentationLib.simulation.plan import (
    SPLITS,
    TEST_SEED_START,
    Recipe,
    parse_split,
    plan,
)
from MicrocalcSegmentationLib.simulation.processes import run_all

FULL = Recipe((231, 25, 27), seed=3)
SMALL = Recipe((3, 1, 2), seed=1, spacing_mm=0.2, shape=(300, 220))


def noise(seed, options):
    """Stands in for a simulated mammogram: noise, six MCs in a row, a benign one beside."""
    rng = np.random.default_rng(seed)
    pixels = rng.uniform(0, 4000, (60, 50)).round().astype(np.float32)
    labels = np.zeros(pixels.shape, np.int32)
    labels[10:40:5, 20] = 1
    labels[50, 30:32] = 2
    name = f"simulated-{options.kind}-{seed:06d}"
    where = {"view": options.view, "laterality": options.laterality}
    mammogram = Mammogram(pixels, Geometry((0.1, 0.1)), Source(name), **where)
    placed = Placed(20, 20, 0.1, 9.0, snr=9.0), Placed(50, 30, 0.2, 5.0, kind="rim")
    return SimulatedCase(name, mammogram, labels, placed, options, seed)


QUICK = Making(simulate=noise)


class StopAfter:
    """Progress that stops the work when so many images are made."""

    def __init__(self, count):
        self.left = count

    def report(self, fraction, text):
        self.left -= 1
        if not self.left:
            raise Cancelled


def files_of(folder):
    """Path -> digest of every file but the manifest."""
    paths = (p for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json")
    return {str(p.relative_to(folder)): sha256(p.read_bytes()).hexdigest() for p in paths}


def by(members, key):
    groups = defaultdict(list)
    for member in members:
        groups[getattr(member, key)].append(member)
    return groups


def test_a_plan_has_the_counts_asked_for():
    members = plan(FULL)
    assert {split: len(group) for split, group in by(members, "split").items()} == dict(
        zip(SPLITS, FULL.counts, strict=True)
    )
    assert len({member.name for member in members}) == 283


def test_half_of_each_part_is_film_and_three_in_ten_are_normal():
    for group in by(plan(FULL), "split").values():
        film = [member for member in group if member.options.kind == "film"]
        normal = [member for member in group if member.options.clusters == 0]
        assert abs(len(film) - len(group) / 2) <= 2
        assert len(normal) / len(group) == pytest.approx(0.3, abs=0.04)


def test_no_patient_is_in_two_parts_or_of_two_kinds():
    patients = by(plan(FULL), "patient")
    assert 283 / 4 < len(patients) < 283
    for images in patients.values():
        assert 1 <= len(images) <= 4
        assert len({(i.split, i.options.kind, i.options.density) for i in images}) == 1
        assert len({(i.options.view, i.options.laterality) for i in images}) == len(images)


def test_views_sides_and_densities_all_occur():
    options = [member.options for member in plan(FULL)]
    assert {one.density for one in options} == {"A", "B", "C", "D"}
    for view in ("CC", "MLO"):
        for side in ("L", "R"):
            share = np.mean([(one.view, one.laterality) == (view, side) for one in options])
            assert 0.15 < share < 0.35


def test_test_seeds_are_apart_from_all_others():
    parts = [by(plan(replace(FULL, seed=seed)), "split") for seed in (0, 1, 89_999)]
    learnt = [m.seed for part in parts for split in SPLITS[:2] for m in part[split]]
    tested = [m.seed for part in parts for m in part["test"]]
    assert max(learnt) < TEST_SEED_START <= min(tested)
    assert len(set(learnt)) == 3 * 256
    assert len(set(tested)) == 3 * 27


def test_test_images_are_not_those_of_evaluate():
    tested = {m.seed for m in plan(FULL) if m.split == "test"}
    evaluated = {case.identity["seed"] for case in simulated_cases(27, FULL.seed)}
    assert not tested & evaluated


def test_the_seed_decides_the_plan():
    assert plan(FULL) == plan(FULL)
    assert plan(FULL) != plan(replace(FULL, seed=4))


@pytest.mark.parametrize("text", ["", "231", "231/25", "a/b/c", "1/2/3/4", "-1/2/3", "1.5/2/3"])
def test_a_bad_split_is_refused(text):
    with pytest.raises(InputError, match="training, validation and test as 231/25/27"):
        parse_split(text)


def test_an_empty_split_is_refused():
    with pytest.raises(InputError, match="is empty"):
        parse_split("0/0/0")


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        (Recipe((9_999, 2, 0)), "at most 10000 images"),
        (Recipe((0, 0, 5_001)), "5000 for test"),
        (Recipe((1, 1, 1), seed=90_000), "from 0 to 89999"),
    ],
)
def test_what_the_seeds_cannot_hold_is_refused(recipe, sentence):
    with pytest.raises(InputError, match=sentence):
        plan(recipe)


def test_every_file_is_in_the_manifest_with_its_digest(tmp_path):
    manifest = make_dataset(SMALL, tmp_path, QUICK, Silent())
    assert json.loads((tmp_path / "manifest.json").read_text()) == manifest
    assert manifest["complete"]
    assert manifest["seed"] == 1
    assert manifest["split"] == {"train": 3, "validation": 1, "test": 2}
    stated = {
        case["files"][role]: case["sha256"][role]
        for case in manifest["cases"]
        for role in ("image", "mask", "ignored", "description")
    }
    assert stated == files_of(tmp_path)
    assert {case["mcs"] for case in manifest["cases"]} == {6}
    assert {case["clusters"] for case in manifest["cases"]} == {1}
    assert manifest["totals"]["train"]["mcs"] == 18


def test_the_evaluation_reads_each_part_with_its_patients(tmp_path):
    manifest = make_dataset(SMALL, tmp_path, QUICK, Silent())
    for split, count in zip(SPLITS, SMALL.counts, strict=True):
        cases = folder_cases(tmp_path / split)
        assert len(cases) == count
        planned = {c["name"]: c for c in manifest["cases"]}
        for case in cases:
            truth = case.load()
            entry = planned[case.name.name]
            assert (case.name.patient, case.name.kind) == (
                entry["patient"],
                entry["options"]["kind"],
            )
            assert case.name.data == "simulated"
            assert truth.mask.sum() == 6
            assert truth.uncertain.sum() == 2
            assert truth.mammogram.source.dicom["PatientID"] == case.name.patient


def test_images_of_a_patient_share_the_study(tmp_path):
    manifest = make_dataset(Recipe((8, 0, 0), seed=2), tmp_path, QUICK, Silent())
    studies = defaultdict(set)
    for case in manifest["cases"]:
        header = pydicom.dcmread(tmp_path / case["files"]["image"], stop_before_pixels=True)
        studies[case["patient"]].add(header.StudyInstanceUID)
    assert 1 < len(studies) < 8
    assert {len(uids) for uids in studies.values()} == {1}
    assert len(set.union(*studies.values())) == len(studies)


def test_several_processes_make_the_same_bytes_as_one(tmp_path):
    environment = dict(os.environ)
    alone = make_dataset(SMALL, tmp_path / "a", Making(), Silent())
    together = make_dataset(SMALL, tmp_path / "b", Making(jobs=2), Silent())
    assert alone == together
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    assert dict(os.environ) == environment


def test_a_stopped_run_leaves_whole_images_and_goes_on(tmp_path):
    with pytest.raises(Cancelled):
        make_dataset(SMALL, tmp_path, QUICK, StopAfter(2))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert not manifest["complete"]
    assert len(manifest["cases"]) == 2
    assert len(files_of(tmp_path)) == 8
    made = []

    def counted(seed, options):
        made.append(seed)
        return noise(seed, options)

    assert make_dataset(SMALL, tmp_path, Making(simulate=counted), Silent())["complete"]
    assert len(made) == 4
    make_dataset(SMALL, tmp_path / "new", QUICK, Silent())
    whole = files_of(tmp_path / "new")
    assert {n: d for n, d in files_of(tmp_path).items() if not n.startswith("new")} == whole


def test_an_image_that_fails_leaves_nothing_of_itself(tmp_path):
    def failing(seed, options):
        raise InputError("no room")

    with pytest.raises(InputError, match="no room"):
        make_dataset(SMALL, tmp_path, Making(simulate=failing), Silent())
    assert files_of(tmp_path) == {}


def test_being_stopped_while_writing_leaves_nothing_of_the_image(tmp_path, monkeypatch):
    def stopped(case, folder, image_format):
        folder.mkdir(parents=True)
        (folder / f"{case.name}.dcm").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets, "write_case", stopped)
    with pytest.raises(KeyboardInterrupt):
        make_dataset(SMALL, tmp_path, QUICK, Silent())
    assert files_of(tmp_path) == {}
    assert not (tmp_path / ".unfinished").exists()


@pytest.mark.parametrize("role", ["image", "mask", "ignored", "description"])
@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_image_is_made_again(tmp_path, role, damage):
    entry = make_dataset(SMALL, tmp_path, QUICK, Silent())["cases"][3]
    whole = files_of(tmp_path)
    path = tmp_path / entry["files"][role]
    path.write_bytes(b"damaged") if damage == "changed" else path.unlink()
    make_dataset(SMALL, tmp_path, QUICK, Silent())
    assert files_of(tmp_path) == whole


def test_images_without_description_are_no_finished_ones(tmp_path):
    member = plan(SMALL)[0]
    (tmp_path / "train").mkdir()
    for ending in (".dcm", "_mask.nrrd", "_ignored.nrrd"):
        (tmp_path / "train" / f"{member.name}{ending}").write_bytes(b"half")
    (tmp_path / "train" / "mine.dcm").write_bytes(b"kept")

    def failing(seed, options):
        raise InputError("stop here")

    with pytest.raises(InputError):
        make_dataset(SMALL, tmp_path, Making(simulate=failing), Silent())
    assert list(files_of(tmp_path)) == ["train/mine.dcm"]


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (replace(SMALL, seed=2), "another seed"),
        (replace(SMALL, counts=(4, 1, 2)), "another split"),
        (replace(SMALL, spacing_mm=0.1), "another spacing mm"),
    ],
)
def test_another_data_set_in_the_folder_is_refused(tmp_path, other, sentence):
    make_dataset(SMALL, tmp_path, QUICK, Silent())
    before = files_of(tmp_path)
    with pytest.raises(InputError, match=sentence):
        make_dataset(other, tmp_path, QUICK, Silent())
    assert files_of(tmp_path) == before


def test_another_simulation_is_refused(tmp_path, monkeypatch):
    make_dataset(SMALL, tmp_path, QUICK, Silent())
    monkeypatch.setattr(datasets, "SIMULATION_VERSION", "next")
    with pytest.raises(InputError, match="another simulation version"):
        make_dataset(SMALL, tmp_path, QUICK, Silent())


def test_a_foreign_manifest_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(InputError, match="not a data set's manifest"):
        make_dataset(SMALL, tmp_path, QUICK, Silent())
    assert (tmp_path / "manifest.json").read_text() == "[]"


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "train").write_text("")
    with pytest.raises(InputError, match="cannot write the data set"):
        make_dataset(SMALL, tmp_path, QUICK, Silent())


def test_a_process_that_dies_is_said_so():
    with pytest.raises(InputError, match="fewer --jobs"):
        list(run_all([_die], 2))


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


RUN = """
import signal, sys
from MicrocalcSegmentationLib.cli import main
from MicrocalcSegmentationLib.simulation import plan
whole = plan.plan
def small(recipe):
    from dataclasses import replace
    return whole(replace(recipe, spacing_mm=0.2, shape=(300, 220)))
if __name__ == "__main__":
    from MicrocalcSegmentationLib.simulation import datasets
    datasets.plan = small
    # As at a terminal; a shell that starts this suite in the background has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
"""


def test_ctrl_c_of_the_command_leaves_whole_images_only(tmp_path):
    (tmp_path / "run.py").write_text(RUN)
    output = tmp_path / "data"
    argv = ["simulate", "-o", output, "--split", "400/0/0", "--jobs", "2"]
    command = [sys.executable, tmp_path / "run.py", *argv]
    # A session of its own: the signal goes to the whole group, as a terminal sends it.
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 100
    while len(list(output.glob("train/*.json"))) < 2 and time.monotonic() < deadline:
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    _, complaint = running.communicate(timeout=60)
    assert running.returncode == 130, complaint
    assert complaint.strip().endswith("microcalc: stopped; what was finished before is kept")
    assert "Traceback" not in complaint
    names = [name.split("/")[1].split(".")[0] for name in files_of(output)]
    images = {name.removesuffix("_mask").removesuffix("_ignored") for name in names}
    assert 2 <= len(images) < 400
    assert len(names) == 4 * len(images)
    assert not (output / ".unfinished").exists()


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--split", "2/1/1", "--count", "3"], "leave out --count"),
        (["--split", "2/1/1", "--kind", "film"], "leave out --count and --kind"),
        (["--jobs", "2"], "--jobs is for --split"),
    ],
)
def test_options_that_contradict_are_wrong_usage(argv, complaint, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["simulate", "-o", str(tmp_path / "x"), *argv])
    assert stop.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_bad_split_is_one_sentence(tmp_path, capsys):
    assert main(["simulate", "-o", str(tmp_path / "x"), "--split", "half"]) == 1
    assert capsys.readouterr().err == (
        "microcalc: split 'half': give the images for training, validation and test as 231/25/27\n"
    )
    assert not (tmp_path / "x").exists()
