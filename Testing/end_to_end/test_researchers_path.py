"""A researcher's path: four cases in the INbreast layout become a model that segments.

Simulated mammograms; the published layout. A few steps of training make no good model, and
none is asked for: what is shown is that every step takes what the one before it wrote.
"""

import json
import plistlib

import numpy as np
import pytest
from MicrocalcSegmentationLib.model import load_model
from MicrocalcSegmentationLib.simulation.cases import CaseOptions, simulate_case
from MicrocalcSegmentationLib.simulation.dicom_mg import Encoding, write_dicom_mg
from MicrocalcSegmentationLib.training.datasets import open_dataset
from scipy.ndimage import label
from skimage.measure import find_contours

SEEDS = (11, 12, 14, 16)  # with more than five MCs in each
SMALL = CaseOptions(spacing_mm=0.1, shape=(900, 600), clusters=2, singles=3)


@pytest.fixture(scope="module")
def inbreast(tmp_path_factory):
    """(folder, image number -> true mask)."""
    root = tmp_path_factory.mktemp("INbreast")
    (root / "AllDICOMs").mkdir()
    (root / "AllXML").mkdir()
    masks = {}
    for seed in SEEDS:
        case = simulate_case(seed, SMALL)
        side = case.mammogram.laterality
        name = f"{20586900 + seed}_{seed:016x}_MG_{side}_CC_ANON.dcm"
        encoding = Encoding(grey_range=(0, 4095))
        write_dicom_mg(root / "AllDICOMs" / name, case.mammogram, encoding, seed)
        with (root / "AllXML" / f"{20586900 + seed}.xml").open("wb") as file:
            plistlib.dump({"Images": [described(case.mask)]}, file)
        masks[str(20586900 + seed)] = case.mask
    return root, masks


def described(mask):
    """OsiriX's description of an image's calcifications: outlines, and points of one pixel."""
    parts, count = label(mask, np.ones((3, 3)))
    rois = []
    for number in range(1, count + 1):
        own = parts == number
        if own.sum() == 1:
            outline = np.argwhere(own)
        else:  # just inside the outermost pixels' centres
            # Parts that meet at a corner are one MC, whose outline is the longest.
            outlines = find_contours(np.pad(own, 1).astype(float), 0.999, fully_connected="high")
            outline = max(outlines, key=len) - 1
        points = [f"({col:.4f}, {row:.4f})" for row, col in outline]
        roi = {"Name": "Calcification", "NumberOfPoints": len(points), "Point_px": points}
        rois.append({**roi, "IndexInImage": number - 1})
    return {"ImageIndex": 0, "NumberOfROIs": len(rois), "ROIs": rois}


def test_from_inbreast_to_a_model_that_segments(inbreast, microcalc, tmp_path):
    root, masks = inbreast
    for image in open_dataset(root).images:
        drawn, true = image.load().mask, masks[image.name]
        assert (drawn & true).sum() / (drawn | true).sum() > 0.9

    done = microcalc("samples", "check", root, "--quiet")
    assert (done.returncode, done.stderr) == (0, "")

    database, model = tmp_path / "samples.sqlite", tmp_path / "mine"
    done = microcalc("samples", "build", root, "-o", database, "--patch-sides", "29", "--json")
    assert done.returncode == 0, done.stderr
    images = json.loads(done.stdout)["images"]
    assert sorted(image["split"] for image in images) == ["test", "train", "train", "validation"]
    true_mcs = sorted(label(mask, np.ones((3, 3)))[1] for mask in masks.values())
    assert sorted(image["mcs"] for image in images) == true_mcs

    for which in ("detector", "segmentator"):
        options = ("--patch-side", "29", "--steps", "12", "--check-every", "6", "--quiet")
        options += ("--model-version", "7")
        done = microcalc("train", which, "--samples", database, "--output", model, *options)
        assert done.returncode == 0, done.stderr
    assert load_model(model).architectures["segmentator"].patch_side == 29
    assert "train, INbreast, digital: 2 images" in (model / "card.md").read_text()

    lenient = ("--threshold", "0.999", "--detector-threshold", "0.9")
    done = microcalc("evaluate", "--samples", database, "--model", model, "--json", *lenient)
    assert done.returncode == 0, done.stderr
    (group,) = json.loads(done.stdout)["groups"]
    assert (group["images"], group["data"]) == (1, "INbreast")
    assert group["true_mcs"] > 5

    (image, *_) = sorted((root / "AllDICOMs").iterdir())
    done = microcalc("segment", image, "--model", model, "--output", tmp_path / "out", *lenient)
    assert done.returncode == 0, done.stderr
    findings = json.loads((tmp_path / "out" / image.stem / "findings.json").read_text())
    assert (findings["model"]["name"], findings["model"]["version"]) == ("mine", "7")
