"""Simulated mammograms, whose truth is known, through the whole way."""

import json
from dataclasses import replace

import numpy as np
import pytest
from MicrocalcSegmentationLib import load_model, read_mammogram, segment
from MicrocalcSegmentationLib.settings import Settings
from MicrocalcSegmentationLib.simulation import dicom_mg
from MicrocalcSegmentationLib.simulation.cases import (
    GREY_RANGE,
    CaseOptions,
    simulate_case,
    write_case,
)
from MicrocalcSegmentationLib.simulation.dicom_mg import Encoding, write_dicom_mg

SMALL = CaseOptions(spacing_mm=0.07, shape=(900, 680), clusters=1, singles=2, level=9.0)
LOSSY = {dicom_mg.JPEG_LS_NEAR, dicom_mg.JPEG_2000}


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def case():
    """One whose cluster is plain enough to be found by any model."""
    return simulate_case(3_000_005, SMALL)


@pytest.fixture(scope="module")
def findings(case, model):
    return segment(case.mammogram, model)


def places(findings):
    return [(mc.row, mc.col, mc.area_mm2, mc.cluster) for mc in findings.calcifications]


def test_most_of_a_simulated_cluster_is_found(case, findings):
    assert len(findings.clusters) == 1
    assert (findings.mask & case.mask).sum() > 0.4 * case.mask.sum()


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("syntax", dicom_mg.SYNTAXES)
def test_findings_survive_every_dicom_encoding(
    case, findings, model, tmp_path, syntax, photometric
):
    path = tmp_path / "image.dcm"
    encoding = Encoding(syntax, photometric, grey_range=GREY_RANGE, near=1, ratio=4)
    write_dicom_mg(path, case.mammogram, encoding)
    again = segment(read_mammogram(path), model)
    if syntax in LOSSY:
        assert len(again.clusters) == len(findings.clusters)
        assert abs(len(again.calcifications) - len(findings.calcifications)) <= 3
    else:
        assert places(again) == places(findings)


def test_findings_survive_nrrd(case, findings, model, tmp_path):
    path = write_case(case, tmp_path, "nrrd")["image"]
    assert places(segment(read_mammogram(path), model)) == places(findings)


def test_a_for_processing_image_gives_the_same_clusters(case, findings, model, tmp_path):
    """Stored as exposure, which falls with attenuation; read back as log-attenuation."""
    raw = replace(
        case.mammogram, pixels=case.mammogram.pixels / 1500, presentation="FOR PROCESSING"
    )
    path = tmp_path / "raw.dcm"
    write_dicom_mg(path, raw, Encoding(bits_stored=16))
    again = segment(read_mammogram(path), model)
    assert len(again.clusters) == len(findings.clusters)
    assert abs(len(again.calcifications) - len(findings.calcifications)) <= 3


def test_sliding_and_windows_give_the_same_probabilities_and_findings(case, findings, model):
    by_windows, by_sliding = (
        segment(case.mammogram, model, Settings(evaluation=how, neighbours=False))
        for how in ("windows", "sliding")
    )
    assert np.abs(by_windows.probability - by_sliding.probability).max() < 1e-4
    assert len(by_windows.calcifications) == len(by_sliding.calcifications)
    reference = segment(case.mammogram, model, Settings(evaluation="windows"))
    assert len(reference.calcifications) == len(findings.calcifications)


def test_background_is_left_alone(findings):
    assert not findings.probability[~findings.breast].any()
    assert not findings.candidates[~findings.breast].any()
    assert not findings.probability[~findings.candidates].any()


def test_the_demo_runs_and_shows_found_against_true(microcalc, result_files, tmp_path):
    done = microcalc("demo", "--output", tmp_path / "demo", "--json")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["clusters"]["true"] >= 1
    assert counts["mcs"]["matched"] > 0
    assert {path.name for path in (tmp_path / "demo").iterdir()} >= result_files | {
        "found_and_true.png"
    }


def test_evaluate_prints_every_figure_with_its_interval(microcalc, case, tmp_path):
    write_case(case, tmp_path / "cases", "nrrd")
    done = microcalc("evaluate", tmp_path / "cases", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    for wanted in ("simulated", "MC", "cluster", "accuracy", "per cm2"):
        assert wanted in done.stdout


def test_one_bad_image_does_not_stop_the_others(microcalc, case, tmp_path):
    good = write_case(case, tmp_path, "nrrd")["image"]
    bad = tmp_path / "notes.dcm"
    bad.write_text("no image")
    done = microcalc("segment", bad, good, "--output", tmp_path / "out")
    assert done.returncode == 1
    assert "notes.dcm" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out" / good.stem / "findings.json").is_file()
    assert not (tmp_path / "out" / "notes").exists()


def test_a_model_of_ones_own_is_trained_and_used(microcalc, case, tmp_path):
    trained = microcalc(
        *("train", "--output", tmp_path / "mine", "--sheets", 2, "--validation-sheets", 1),
        *("--sparse-sheets", 2),
        *("--steps", "2,2", "--quiet"),
    )
    assert trained.returncode == 0, trained.stderr
    image = write_case(case, tmp_path, "nrrd")["image"]
    done = microcalc("segment", image, "--output", tmp_path / "out", "--model", tmp_path / "mine")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / image.stem / "findings.json").read_text())
    assert "mine" in json.dumps(found["model"])
