"""Batch work without a window, in plain Python and in what looks like the application."""

import os
import subprocess
import sys
from pathlib import Path

import MicrocalcSegmentationLib
import numpy as np
import pytest
from MicrocalcSegmentationLib.errors import InputError, ModelError
from MicrocalcSegmentationLib.reading import read_mammogram
from MicrocalcSegmentationLib.simulation.dicom_mg import Encoding, write_dicom_mg

SCRIPT = Path(MicrocalcSegmentationLib.__file__).parents[1] / "Scripts/segment_mammograms.py"


@pytest.fixture
def headless(slicer):
    from MicrocalcSegmentationLib.mrml import headless

    return headless


@pytest.fixture
def films(tmp_path, make_findings):
    """Two DICOM files, and one that cannot be used."""
    for name in ("left.dcm", "right.dcm"):
        mammogram = make_findings(laterality=name[0].upper()).mammogram
        write_dicom_mg(tmp_path / name, mammogram, Encoding())
    (tmp_path / "broken.dcm").write_bytes(b"no image")
    return tmp_path


@pytest.fixture
def found(make_findings):
    """What stands in for the networks: the known MCs on whatever image was read."""

    def segment_one(path, progress):
        mammogram = read_mammogram(path)
        progress.report(0.5, "looking")
        stated = {"laterality": mammogram.laterality, "view": mammogram.view}
        made = make_findings(geometry=mammogram.geometry, source=mammogram.source, **stated)
        np.copyto(made.mammogram.pixels, mammogram.pixels)
        return made

    return segment_one


def load(path):
    from MicrocalcSegmentationLib.mrml.application import load_scene, open_scene

    opened = open_scene()
    load_scene(opened.scene, path)
    return opened


def test_each_image_becomes_a_scene_with_image_and_findings(headless, films, found, capsys):
    from MicrocalcSegmentationLib.mrml.results import find_results
    from MicrocalcSegmentationLib.mrml.volumes import pixels_of

    output = films / "out"
    arguments = [str(films / "left.dcm"), str(films / "right.dcm"), "-o", str(output)]
    assert headless.main([*arguments, "--probability"], found) == 0
    for name in ("left", "right"):
        opened = load(output / name / f"{name}.mrb")
        volume = opened.scene.GetFirstNodeByName(name)
        results = find_results(opened.scene, volume)
        assert results.clusters.GetTable().GetNumberOfRows() == 2
        assert results.probability is not None
        image = read_mammogram(films / f"{name}.dcm")
        np.testing.assert_array_equal(pixels_of(volume), image.pixels)
        assert volume.GetAttribute("DICOM.instanceUIDs") == image.source.dicom["SOPInstanceUID"]
        # Of the other image nothing is left.
        segmentations = opened.scene.GetNodesByClass("vtkMRMLSegmentationNode")
        assert segmentations.GetNumberOfItems() == 1
    assert "left.dcm: 15 MCs, 2 clusters" in capsys.readouterr().out


def test_an_unusable_image_is_named_and_stops_no_other(headless, films, found, capsys):
    output = films / "out"
    arguments = [str(films / name) for name in ("broken.dcm", "left.dcm")]
    assert headless.main([*arguments, "-o", str(output)], found) == 1
    assert "broken.dcm" in capsys.readouterr().err
    assert (output / "left" / "left.mrb").is_file()
    assert not (output / "broken").exists()


def test_separate_files_are_those_of_the_command(headless, films, found):
    output = films / "out"
    assert headless.main([str(films / "left.dcm"), "-o", str(output), "--files"], found) == 0
    assert (output / "left" / "left.seg.nrrd").is_file()
    assert (output / "left" / "findings.json").is_file()
    assert not list(output.rglob("*.mrb"))


def test_the_applications_scene_is_used_and_left_as_it_was(
    headless, films, found, mrml, slicer, monkeypatch
):
    monkeypatch.setattr(slicer, "mrmlScene", mrml.scene, raising=False)
    mrml.application.SetTemporaryPath(str(films))
    before = mrml.scene.GetNumberOfNodes()
    assert headless.main([str(films / "left.dcm"), "-o", str(films / "out")], found) == 0
    assert mrml.scene.GetNumberOfNodes() == before
    assert (films / "out" / "left" / "left.mrb").is_file()


@pytest.mark.parametrize("error", [InputError("no"), ModelError("no such model")])
def test_a_refused_image_or_model_ends_with_one(headless, films, capsys, error):
    def refuse(path, progress):
        raise error

    assert headless.main([str(films / "left.dcm"), "-o", str(films / "out")], refuse) == 1
    assert str(error) in capsys.readouterr().err


def test_a_folder_without_images_is_refused(headless, tmp_path, found, capsys):
    (tmp_path / "empty").mkdir()
    assert headless.main([str(tmp_path / "empty"), "-o", str(tmp_path / "out")], found) == 1
    assert "no image in there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--help"], 0), ([], 2), (["missing.dcm", "--output", "out"], 1)]
)
def test_the_script_runs_by_its_path_and_ends_with_its_code(tmp_path, slicer, arguments, code):
    # From elsewhere, and without the library on the path: it has to find it.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    run = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == code, run.stderr
    if code == 0:
        assert "--python-script" in run.stdout
    if code == 1:
        assert "missing.dcm" in run.stderr


def test_the_images_of_a_folder_become_one_scene_that_hangs(headless, films, found, slicer):
    from MicrocalcSegmentationLib.mrml.results import find_results

    folder = films / "patient 7"
    folder.mkdir()
    for side, name in (("right", "b"), ("left", "c")):
        (films / f"{side}.dcm").rename(folder / f"{name}.dcm")
    output = films / "out"
    arguments = [str(films / "patient 7"), "-o", str(output), "--study"]
    assert headless.main(arguments, found) == 0
    assert [path.name for path in output.glob("*.mrb")] == ["patient 7.mrb"]
    opened = load(output / "patient 7.mrb")
    volumes = [opened.scene.GetFirstNodeByName(name) for name in ("b", "c")]
    for volume, view in zip(volumes, ("RMLO", "LMLO"), strict=True):
        results = find_results(opened.scene, volume)
        slice_node = opened.scene.GetSingletonNode(f"Mammogram{view}", "vtkMRMLSliceNode")
        shown_in = results.segmentation.GetDisplayNode().GetNthViewNodeID(0)
        assert shown_in == slice_node.GetID()


def test_a_study_of_two_folders_is_two_scenes(headless, films, found, capsys):
    for name in ("left", "right"):
        (films / name).mkdir()
        (films / f"{name}.dcm").rename(films / name / "image.dcm")
    output = films / "out"
    arguments = [str(films / "left"), str(films / "right"), "-o", str(output), "--study"]
    assert headless.main(arguments, found) == 0
    assert sorted(path.name for path in output.glob("*.mrb")) == ["left.mrb", "right.mrb"]
