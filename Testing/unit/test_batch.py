"""Many images in one run: what is chosen, named, written, refused and kept."""

import csv
import json
from dataclasses import replace

import pytest
from MicrocalcSegmentationLib.batch import (
    check_writable,
    output_names,
    segment_files,
    select_images,
)
from MicrocalcSegmentationLib.errors import Cancelled, InputError, ModelError


class Recorder:
    def __init__(self):
        self.reports = []

    def report(self, fraction, text):
        self.reports.append((fraction, text))


@pytest.fixture
def segment_one(make_findings):
    """Segments anything but what its name forbids."""
    findings = make_findings()

    def segment(path, progress):
        if "refuse" in path.name:
            raise InputError(f"{path.name}: no pixel spacing in the header; pass --spacing-mm")
        if "crash" in path.name:
            raise ZeroDivisionError("division by zero")
        if "stop" in path.name:
            raise Cancelled
        if "model" in path.name:
            raise ModelError("weights are missing; install the model again")
        progress.report(0.5, "halfway")
        return findings

    return segment


def write_one(findings, folder, stem):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.txt"
    path.write_text(str(len(findings.calcifications)))
    return {"text": path}


def files(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return [folder / name for name in names]


def run(tmp_path, names, segment_one, progress=None, write=write_one):
    images = [tmp_path / "in" / name for name in names]
    return segment_files(images, tmp_path / "out", segment_one, progress, write)


def summary(tmp_path):
    with (tmp_path / "out" / "summary.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_image_gets_its_folder_and_its_line(tmp_path, segment_one):
    items = run(tmp_path, ["a.dcm", "b.png"], segment_one)
    assert [(i.status, i.calcifications, i.clusters) for i in items] == [("done", 15, 2)] * 2
    assert (tmp_path / "out" / "a" / "a.txt").read_text() == "15"
    assert (tmp_path / "out" / "b" / "b.txt").exists()
    rows = summary(tmp_path)
    assert [row["image"] for row in rows] == [i.image for i in items]
    assert [row["folder"] for row in rows] == [str(tmp_path / "out" / n) for n in "ab"]
    kept = json.loads((tmp_path / "out" / "summary.json").read_text())["images"]
    assert kept[0]["files"] == {"text": str(tmp_path / "out" / "a" / "a.txt")}


def test_an_image_unlike_what_was_learnt_from_is_done_with_a_caution(tmp_path, make_findings):
    unlike = replace(make_findings(), odds_divisor=7.31)
    run(tmp_path, ["a.dcm"], lambda path, progress: unlike)
    (row,) = summary(tmp_path)
    assert row["status"] == "done"
    assert row["message"].startswith("7.3 times as many doubtful spots as in the images that")
    assert replace(unlike, odds_divisor=2.9).caution == ""


def test_a_refused_image_stops_no_other_and_leaves_nothing(tmp_path, segment_one):
    items = run(tmp_path, ["a.dcm", "refuse.dcm", "b.dcm"], segment_one)
    assert [item.status for item in items] == ["done", "refused", "done"]
    sentence = "refuse.dcm: no pixel spacing in the header; pass --spacing-mm"
    assert items[1].message == sentence
    assert summary(tmp_path)[1]["message"] == sentence
    assert not (tmp_path / "out" / "refuse").exists()


def test_an_image_that_breaks_the_program_stops_no_other(tmp_path, segment_one):
    items = run(tmp_path, ["crash.dcm", "b.dcm"], segment_one)
    assert [item.status for item in items] == ["failed", "done"]
    assert items[0].message.startswith("crash.dcm: failed inside the program (division by zero)")


def test_results_that_cannot_be_written_are_told_of_their_image_alone(tmp_path, segment_one):
    def full_disk(findings, folder, stem):
        if stem == "a":
            raise InputError(f"{folder}: the disk is full")
        return write_one(findings, folder, stem)

    items = run(tmp_path, ["a.dcm", "b.dcm"], segment_one, write=full_disk)
    assert [item.status for item in items] == ["refused", "done"]


def test_a_model_that_cannot_be_used_ends_the_run(tmp_path, segment_one):
    with pytest.raises(ModelError):
        run(tmp_path, ["model.dcm", "b.dcm"], segment_one)


@pytest.mark.parametrize("stop", [Cancelled, KeyboardInterrupt])
def test_when_stopped_the_finished_images_are_in_the_summary(tmp_path, segment_one, stop):
    def stopping(path, progress):
        if path.name == "b.dcm":
            raise stop
        return segment_one(path, progress)

    with pytest.raises(stop):
        run(tmp_path, ["a.dcm", "b.dcm", "c.dcm"], stopping)
    assert [row["status"] for row in summary(tmp_path)] == ["done"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        *("a", "summary.csv", "summary.json"),
    ]


def test_an_unwritable_output_is_refused_before_any_work(tmp_path):
    (tmp_path / "out").write_text("a file where the folder should be")

    def never(path, progress):
        pytest.fail("worked although nothing can be written")

    with pytest.raises(InputError, match=r"out: cannot write there .*choose another"):
        run(tmp_path, ["a.dcm"], never)


def test_checking_the_output_leaves_nothing_in_it(tmp_path):
    check_writable(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_progress_names_the_image_and_never_goes_back(tmp_path, segment_one):
    recorder = Recorder()
    run(tmp_path, ["a.dcm", "refuse.dcm", "b.dcm"], segment_one, recorder)
    fractions = [fraction for fraction, _ in recorder.reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert "a.dcm (1 of 3): halfway" in [text for _, text in recorder.reports]


def test_no_images_make_an_empty_run(tmp_path, segment_one):
    assert run(tmp_path, [], segment_one) == []


def test_images_of_one_name_get_folders_of_their_own(tmp_path):
    names = ["x/a.dcm", "y/a.dcm", "y/a.nii.gz", "y/A.png", "y/a_2.dcm", "y/b"]
    images = files(tmp_path, *names)
    assert output_names(images) == ["a", "a_3", "a_4", "A_5", "a_2", "b"]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("1.2.840.113.7", "1.2.840.113.7"),
        ("summary.csv.dcm", "summary.csv_2"),
        ("Summary.JSON.png", "Summary.JSON_2"),
    ],
)
def test_names_stay_whole_and_never_hit_the_summary(tmp_path, file, expected):
    assert output_names([tmp_path / file]) == [expected]


def test_a_folder_stands_for_the_images_in_it(tmp_path):
    files(
        tmp_path,
        *("s/b.dcm", "s/a.PNG", "s/deep/er/c.nii.gz", "s/notes.txt", "s/DICOMDIR", "s/.hidden.dcm"),
        *("s/.git/d.dcm", "s/a_mask.png", "s/lonely_mask.png", "s/b.seg.nrrd"),
        "s/b_ignored.nrrd",
    )
    bare = tmp_path / "s" / "1.2.3"
    bare.write_bytes(bytes(128) + b"DICM" + bytes(8))
    chosen = select_images([tmp_path / "s"], tmp_path / "out")
    names = [str(path.relative_to(tmp_path / "s")) for path in chosen.images]
    assert names == ["1.2.3", "a.PNG", "b.dcm", "lonely_mask.png", "deep/er/c.nii.gz"]
    assert {p.name for p in chosen.passed_over} == {
        *("notes.txt", "DICOMDIR", "a_mask.png", "b.seg.nrrd", "b_ignored.nrrd"),
    }


def test_a_named_file_is_taken_whatever_it_is_called(tmp_path):
    text, missing = tmp_path / "notes.txt", tmp_path / "missing.dcm"
    text.write_text("x")
    assert select_images([text, missing], tmp_path / "out").images == (text, missing)


def test_an_image_given_twice_is_segmented_once(tmp_path):
    (image,) = files(tmp_path, "s/a.dcm")
    chosen = select_images([image, tmp_path / "s", tmp_path / "s" / ".." / "s" / "a.dcm"], tmp_path)
    assert chosen.images == (image,)


def test_results_are_not_taken_for_images(tmp_path):
    files(
        tmp_path, "s/a.dcm", "s/out/b/overlay.png", "s/old/b/overlay.png", "s/old/b/findings.json"
    )
    chosen = select_images([tmp_path / "s"], tmp_path / "s" / "out")
    assert [path.name for path in chosen.images] == ["a.dcm"]


def test_real_writers_replace_the_results_of_an_earlier_run(tmp_path, segment_one):
    images = [tmp_path / "in" / "a.dcm"]
    for _ in range(2):
        (item,) = segment_files(images, tmp_path / "out", segment_one)
    assert item.status == "done", item.message
    written = {path.name for path in (tmp_path / "out" / "a").iterdir()}
    assert {"findings.json", "a.seg.nrrd", "a.mrk.json", "overlay.png"} <= written
    assert not [name for name in written if name.startswith(".")]
