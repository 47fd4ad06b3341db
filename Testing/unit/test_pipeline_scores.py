"""From the networks' probabilities to findings, at any threshold, and from a drawn mask."""

from dataclasses import replace

import numpy as np
import pytest
from MicrocalcSegmentationLib import pipeline
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.findings import Scores
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Mammogram, Source
from MicrocalcSegmentationLib.model import load_model
from MicrocalcSegmentationLib.pipeline import describe, describe_mask, segment
from MicrocalcSegmentationLib.settings import Settings

# Eight MCs of 3 x 3 pixels of 0.1 mm in a row of 7 mm, each a little less probable.
PLACES = [(50, 20 + 10 * index) for index in range(8)]
PROBABILITIES = [0.99, 0.97, 0.95, 0.93, 0.91, 0.89, 0.70, 0.50]


@pytest.fixture
def scores():
    shape = (100, 120)
    pixels = np.full(shape, 100, np.float32)
    probability = np.zeros(shape, np.float32)
    for (row, col), value in zip(PLACES, PROBABILITIES, strict=True):
        probability[row - 1 : row + 2, col - 1 : col + 2] = value
        pixels[row - 1 : row + 2, col - 1 : col + 2] += 10
    return scores_of(pixels, probability, threshold=0.9)


def scores_of(pixels, probability, threshold):
    return Scores(
        mammogram=Mammogram(pixels, Geometry((0.1, 0.1)), Source("image")),
        breast=np.ones(pixels.shape, bool),
        candidates=probability > 0,
        probability=probability,
        deviation=np.full(pixels.shape, 2, np.float32),
        model_name="a model",
        model_version="3",
        settings=Settings(threshold=threshold, detector_threshold=0.4),
    )


@pytest.mark.parametrize(
    ("threshold", "mcs", "clusters"), [(0.94, 3, 0), (0.88, 6, 1), (0.4, 8, 1)]
)
def test_a_threshold_decides_how_many_mcs_and_clusters_there_are(scores, threshold, mcs, clusters):
    findings = describe(scores, threshold)
    assert len(findings.calcifications) == mcs
    assert len(findings.clusters) == clusters
    assert findings.threshold == findings.settings.threshold == threshold


def test_the_settings_own_threshold_is_the_default(scores):
    findings = describe(scores)
    assert findings.threshold == 0.9
    assert len(findings.calcifications) == 5
    assert findings.calcifications[0].mean_contrast == pytest.approx(10 / 2)
    assert findings.detector_threshold == 0.4
    assert (findings.model_name, findings.model_version) == ("a model", "3")
    assert describe(replace(scores, odds_divisor=4.0)).odds_divisor == 4.0


def test_a_drawn_mask_counts_where_the_networks_saw_nothing(scores):
    mask = scores.probability >= 0.88
    mask[80:83, 60:63] = True
    findings = describe_mask(scores, mask)
    assert len(findings.calcifications) == 7
    drawn = findings.calcifications[-1]
    assert (drawn.row, drawn.col, drawn.probability) == (81, 61, 0)
    assert findings.clusters[0].count == 7


def along_a_vessel(probability):
    """Twelve specks along an artery of 30 mm, and a faint cluster that lies on none."""
    rng = np.random.default_rng(0)
    shape = (400, 400)
    pixels = 100 + rng.normal(size=shape)
    chances = np.zeros(shape, np.float32)
    specks = [(200 + rng.integers(-2, 3), 60 + 10 * n) for n in range(12)]
    cluster = [(320 + 12 * (n % 3), 300 + 12 * (n // 3)) for n in range(9)]
    for (row, col), value in [(at, probability) for at in specks] + [(at, 0.2) for at in cluster]:
        chances[row - 1 : row + 2, col - 1 : col + 2] = value
        pixels[row - 1 : row + 2, col - 1 : col + 2] += 10
    artery = np.stack([np.full(76, 20.0), np.linspace(5, 35, 76)], axis=1)
    scores = scores_of(pixels.astype(np.float32), chances, threshold=0.3)
    return replace(scores, arteries=(artery,))


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.9])
def test_faint_ones_along_a_vessel_are_vascular_at_any_threshold(threshold):
    findings = describe(along_a_vessel(0.15), threshold)
    assert [group.count for group in findings.vascular] == [12]
    assert len(findings.clusters) == (threshold <= 0.2)
    again = describe_mask(along_a_vessel(0.15), findings.mask)
    assert again.calcifications == findings.calcifications


def test_fainter_ones_are_nothing():
    assert describe(along_a_vessel(0.04)).calcifications == ()


def test_a_vessel_that_the_other_mcs_hide_leaves_no_faint_ones_behind(monkeypatch):
    scores = along_a_vessel(0.15)
    found = pipeline._along_vessels(scores)
    assert found.sum() == 12 * 9
    monkeypatch.setattr(pipeline, "_along_vessels", lambda _: found)
    assert describe(replace(scores, arteries=())).calcifications == ()


def test_a_breast_smaller_than_a_patch_is_refused():
    pixels = np.random.default_rng(0).normal(100, 5, (80, 60)).astype(np.float32)
    mammogram = Mammogram(pixels, Geometry((0.03, 0.03)), Source("crop.png"))
    with pytest.raises(InputError, match="the breast measures 48 x 36 pixels of 0"):
        segment(mammogram, load_model())
