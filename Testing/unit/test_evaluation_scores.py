"""One image's findings against its true mask, on masks drawn by hand."""

import csv
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.calcifications import Measured, label_calcifications, measure
from MicrocalcSegmentationLib.clusters import find_clusters
from MicrocalcSegmentationLib.evaluation.comparison import (
    compare_findings,
    truth_of,
    write_comparison,
)
from MicrocalcSegmentationLib.evaluation.froc import THRESHOLDS
from MicrocalcSegmentationLib.evaluation.scores import CaseName, Marks, score_case
from MicrocalcSegmentationLib.findings import Findings
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Mammogram, Source
from MicrocalcSegmentationLib.settings import Settings

SHAPE, SPACING = (400, 300), (0.1, 0.1)  # 4 x 3 cm
CASE = CaseName("a", "a", "digital", "simulated")
# Two clusters of 7 and 6 MCs within 5 mm, 20 mm apart, and an isolated MC.
FIRST = [(50, 50), (50, 62), (60, 55), (70, 50), (72, 66), (84, 58), (90, 52)]
SECOND = [(300, 200), (300, 220), (310, 210), (320, 200), (322, 216), (334, 208)]
ISOLATED = [(200, 40)]


def mask_of(places, side=3):
    mask = np.zeros(SHAPE, bool)
    for row, col in places:
        mask[row : row + side, col : col + side] = True
    return mask


def findings_of(probability, threshold=0.5):
    """Findings as the pipeline makes them of a probability map."""
    mammogram = Mammogram(np.zeros(SHAPE, np.float32), Geometry(SPACING), Source("a"))
    labels = label_calcifications(probability >= threshold, SPACING, Settings().min_mc_area_mm2)
    on = Measured(mammogram.pixels, np.ones(SHAPE, np.float32), probability)
    calcifications, clusters = find_clusters(labels, measure(labels, on, SPACING), SPACING)
    breast = np.zeros(SHAPE, bool)
    breast[:, :250] = True  # 10 cm2
    return Findings(
        mammogram=mammogram,
        probability=probability,
        labels=labels,
        breast=breast,
        candidates=probability > 0,
        calcifications=calcifications,
        clusters=clusters,
        threshold=threshold,
        detector_threshold=0.5,
        model_name="test",
        model_version="1",
        settings=Settings(),
    )


def found_as(places, probability=0.9):
    return findings_of(mask_of(places).astype(np.float32) * np.float32(probability))


TRUTH = mask_of(FIRST + SECOND + ISOLATED)


def test_a_perfect_mask_finds_all_and_nothing_else():
    scores = score_case(CASE, found_as(FIRST + SECOND + ISOLATED), TRUTH)
    assert (scores.true_mcs, scores.true_clusters) == (14, 2)
    assert scores.marks == Marks(matched=14, false_mcs=0, marked=2, false_clusters=0)
    assert scores.matched_iou == (1.0,) * 14
    assert scores.image_iou == 1
    assert scores.breast_cm2 == pytest.approx(10)


def test_mcs_that_stand_out_plainly_are_counted_apart():
    texture = np.random.default_rng(0).normal(0, 1, SHAPE).astype(np.float32)
    findings = found_as(FIRST[:3] + SECOND)
    pixels = texture + 12 * mask_of(FIRST) + 1 * mask_of(SECOND)
    mammogram = replace(findings.mammogram, pixels=pixels.astype(np.float32))
    scores = score_case(CASE, replace(findings, mammogram=mammogram), mask_of(FIRST + SECOND))
    assert (scores.plain_mcs, scores.plain_matched) == (len(FIRST), 3)


def test_an_empty_mask_misses_all():
    scores = score_case(CASE, found_as([]), TRUTH)
    assert scores.marks == Marks(0, 0, 0, 0)
    assert scores.image_iou == 0
    assert scores.curve.sum() == 0


def test_marks_on_an_image_without_mcs_are_all_false():
    scores = score_case(CASE, found_as(FIRST), np.zeros(SHAPE, bool))
    assert scores.marks == Marks(matched=0, false_mcs=7, marked=0, false_clusters=1)
    assert scores.pixels.false_positive == 7 * 9


def test_nothing_found_where_nothing_is_leaves_the_iou_undefined():
    assert np.isnan(score_case(CASE, found_as([]), np.zeros(SHAPE, bool)).image_iou)


def test_a_cluster_is_marked_by_overlap_though_none_of_its_mcs_match():
    moved = [(row + 5, col + 6) for row, col in FIRST]  # 0.78 mm off: each is a miss
    scores = score_case(CASE, found_as(moved), mask_of(FIRST))
    assert scores.marks == Marks(matched=0, false_mcs=7, marked=1, false_clusters=0)


def test_five_found_mcs_of_a_cluster_mark_no_cluster():
    scores = score_case(CASE, found_as(FIRST[:5]), TRUTH)
    assert scores.marks == Marks(matched=5, false_mcs=0, marked=0, false_clusters=0)


def test_a_mask_moved_by_4_pixels_misses_by_0_05_mm():
    for moved, matched in ((3, 14), (4, 0)):
        places = [(row, col + moved) for row, col in FIRST + SECOND + ISOLATED]
        assert score_case(CASE, found_as(places), TRUTH).marks.matched == matched


def test_marks_on_ignored_pixels_are_neither_true_nor_false():
    scores = score_case(CASE, found_as(FIRST + ISOLATED), mask_of(FIRST), mask_of(ISOLATED))
    assert scores.marks == Marks(matched=7, false_mcs=0, marked=1, false_clusters=0)
    assert scores.image_iou == 1
    pixels = scores.pixels
    assert (pixels.true_positive, pixels.false_positive) == (63, 0)
    assert pixels.true_positive + pixels.true_negative == SHAPE[0] * SHAPE[1] - 9
    assert pixels.breast_negative == SHAPE[0] * 250 - 63 - 9
    assert scores.positive.sum() + scores.negative.sum() == SHAPE[0] * SHAPE[1] - 9
    assert scores.negative[1:].sum() == 0


def test_an_mc_that_is_ignored_is_not_missed_either():
    scores = score_case(CASE, found_as([]), mask_of(FIRST), mask_of(SECOND))
    assert (scores.true_mcs, scores.true_clusters) == (7, 1)


def test_a_mark_on_an_mc_and_on_ignored_pixels_is_true():
    ignored = mask_of([(row, col + 3) for row, col in FIRST])
    scores = score_case(CASE, found_as(FIRST), mask_of(FIRST), ignored)
    assert scores.marks == Marks(matched=7, false_mcs=0, marked=1, false_clusters=0)


def test_a_found_cluster_is_false_only_if_it_is_one_without_what_is_ignored():
    for ignored, false_mcs, false_clusters in ((FIRST[:1], 6, 1), (FIRST[:2], 5, 0)):
        scores = score_case(CASE, found_as(FIRST), np.zeros(SHAPE, bool), mask_of(ignored))
        assert scores.marks == Marks(0, false_mcs, 0, false_clusters)
        at_half = dict(zip(THRESHOLDS, scores.curve.tolist(), strict=True))[0.5]
        assert at_half == [0, false_mcs, 0, false_clusters]


def test_a_true_mc_counts_though_it_is_too_small_to_be_found():
    scores = score_case(CASE, found_as([]), mask_of([(10, 10)], side=1))
    assert scores.true_mcs == 1


def test_the_curve_at_each_threshold_is_what_the_pipeline_gives_there():
    probability = mask_of(FIRST) * 0.97 + mask_of(SECOND) * 0.6 + mask_of([(200, 150)]) * 0.3
    probability = probability.astype(np.float32)
    scores = score_case(CASE, findings_of(probability), TRUTH)
    for threshold, counts in list(zip(THRESHOLDS, scores.curve.tolist(), strict=True))[::6]:
        again = score_case(CASE, findings_of(probability, threshold), TRUTH).marks
        assert counts == [again.matched, again.false_mcs, again.marked, again.false_clusters]
    by_threshold = dict(zip(THRESHOLDS, scores.curve.tolist(), strict=True))
    assert by_threshold[0.2] == [13, 1, 2, 0]
    assert by_threshold[0.5] == [13, 0, 2, 0]
    assert by_threshold[0.95] == [7, 0, 1, 0]
    assert by_threshold[0.98] == [0, 0, 0, 0]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_counts_add_up(seed):
    rng = np.random.default_rng(seed)
    true, found = (
        rng.integers(0, (SHAPE[0] - 3, SHAPE[1] - 3), (rng.integers(0, 25), 2)) for _ in range(2)
    )
    scores = score_case(CASE, found_as(found), mask_of(true))
    marks, pixels = scores.marks, scores.pixels
    assert 0 <= marks.matched <= scores.true_mcs
    assert 0 <= marks.marked <= scores.true_clusters
    assert len(scores.matched_iou) == marks.matched
    assert pixels.true_positive + pixels.false_negative == mask_of(true).sum()
    total = pixels.true_positive + pixels.false_positive + pixels.false_negative
    assert total + pixels.true_negative == SHAPE[0] * SHAPE[1]
    assert scores.positive.sum() + scores.negative.sum() == SHAPE[0] * SHAPE[1]


def test_the_comparison_lists_each_mc_once(tmp_path):
    findings = found_as([*FIRST[:6], (200, 150)])
    comparison = compare_findings(findings, truth_of(TRUTH, SPACING))
    write_comparison(comparison, tmp_path / "c.csv")
    with (tmp_path / "c.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kinds = [row["kind"] for row in rows]
    assert (kinds.count("matched"), kinds.count("missed"), kinds.count("false")) == (6, 8, 1)
    matched = rows[kinds.index("matched")]
    assert (matched["row"], matched["col"]) == ("51.00", "51.00")
    assert (matched["distance_mm"], matched["iou"]) == ("0.000", "1.000")
    (false,) = [row for row in rows if row["kind"] == "false"]
    assert (false["row"], false["col"], false["true"]) == ("201.00", "151.00", "")
    (alone,) = [row for row in rows if row["true"] and row["cluster"] == "0"]
    assert (alone["kind"], alone["row"]) == ("missed", "201.00")


def test_the_comparison_says_what_is_ignored(tmp_path):
    truth = truth_of(mask_of(FIRST), SPACING, mask_of(ISOLATED))
    comparison = compare_findings(found_as([*FIRST, *ISOLATED, (200, 150)]), truth)
    write_comparison(comparison, tmp_path / "c.csv")
    with (tmp_path / "c.csv").open(newline="", encoding="utf-8") as file:
        places = {row["row"] + row["col"]: row["kind"] for row in csv.DictReader(file)}
    assert places["201.0041.00"] == "ignored"
    assert places["201.00151.00"] == "false"
    assert comparison.false_mcs.sum() == comparison.ignored.sum() == 1


def test_spacing_decides_what_is_a_match():
    findings = found_as([(50, 53)])
    wide = Mammogram(findings.mammogram.pixels, Geometry((0.1, 0.2)), Source("a"))
    assert score_case(CASE, findings, mask_of([(50, 50)])).marks.matched == 1
    stretched = replace(findings, mammogram=wide)
    assert score_case(CASE, stretched, mask_of([(50, 50)])).marks.matched == 0


REGIONS = CaseName("a", "a", "film", "CBIS-DDSM", "cluster")


def regions_mask():
    """One region around the first cluster, one around nothing that is found."""
    mask = np.zeros(SHAPE, bool)
    mask[40:100, 40:80] = mask[150:180, 100:140] = True
    return mask


def test_regions_are_judged_by_the_clusters_that_overlap_them():
    scores = score_case(REGIONS, found_as(FIRST + SECOND + ISOLATED), regions_mask())
    assert scores.true_clusters == 2
    assert scores.marks == Marks(matched=0, false_mcs=0, marked=1, false_clusters=1)
    assert scores.curve[:, 2:].max(axis=0).tolist() == [1, 1]
    assert scores.breast_cm2 == pytest.approx(10)


def test_isolated_mcs_in_a_region_do_not_mark_it():
    scores = score_case(REGIONS, found_as(FIRST[:5]), regions_mask())
    assert scores.marks == Marks(matched=0, false_mcs=0, marked=0, false_clusters=0)


def test_where_regions_are_outlined_nothing_is_counted_of_mcs_and_pixels():
    scores = score_case(REGIONS, found_as(FIRST), regions_mask())
    assert scores.true_mcs == 0
    assert not scores.curve[:, :2].any()
    assert not any(asdict(scores.pixels).values())
    assert not scores.positive.any()
    assert not scores.negative.any()
    assert np.isnan(scores.image_iou)
