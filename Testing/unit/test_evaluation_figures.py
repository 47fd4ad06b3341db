"""Figures over several images, from counts chosen by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
from MicrocalcSegmentationLib.evaluation.definitions import DEFINITIONS
from MicrocalcSegmentationLib.evaluation.figures import Sample, compute
from MicrocalcSegmentationLib.evaluation.froc import THRESHOLDS, sensitivity_at
from MicrocalcSegmentationLib.evaluation.intervals import interval, resampling_weights
from MicrocalcSegmentationLib.evaluation.pixels import BINS, PixelCounts
from MicrocalcSegmentationLib.evaluation.report import as_json, as_table, summarise
from MicrocalcSegmentationLib.evaluation.scores import CaseName, CaseScores, Marks

HALF = len(THRESHOLDS) // 2


def scores_of(name="a", kind="digital", marks=(3, 2, 1, 1), curve=None, **fields):
    """4 true MCs, 2 true clusters, 50 cm2 of breast, 1000 pixels."""
    if curve is None:
        curve = np.tile(marks, (len(THRESHOLDS), 1))
    histogram = np.zeros((2, BINS), int)
    histogram[0, 5], histogram[1, 0] = 20, 980
    made = CaseScores(
        case=CaseName(name, patient=name, kind=kind, data="simulated"),
        breast_cm2=50.0,
        threshold=0.9,
        true_mcs=4,
        true_clusters=2,
        marks=Marks(*marks),
        matched_iou=(0.5, 0.6, 0.7),
        image_iou=0.4,
        pixels=PixelCounts(15, 5, 5, 975, 480, 4),
        curve=np.asarray(curve),
        positive=histogram[0],
        negative=histogram[1],
        plain_mcs=2,
        plain_matched=1,
    )
    return replace(made, **fields)


def values(scores):
    sample = Sample(scores)
    return {d.key: compute(d, sample, scores).value for d in DEFINITIONS}


def test_every_figure_of_one_image_by_hand():
    expected = {
        "mc_sensitivity": 3 / 4,
        "mc_sensitivity_plain": 1 / 2,
        "mc_false_positives_per_cm2": 2 / 50,
        "mc_sensitivity_at_0.1_fp_per_cm2": 3 / 4,
        "mc_sensitivity_at_0.4_fp_per_cm2": 3 / 4,
        "mc_sensitivity_at_1_fp_per_cm2": 3 / 4,
        "mc_iou": 0.6,
        "image_iou": 0.4,
        "cluster_sensitivity": 1 / 2,
        "false_clusters_per_image": 1,
        "cluster_sensitivity_at_0.1_false_per_image": 0,
        "cluster_sensitivity_at_0.35_false_per_image": 0,
        "cluster_sensitivity_at_1_false_per_image": 1 / 2,
        "image_sensitivity": 1,
        "image_specificity": None,
        "pixel_accuracy": 990 / 1000,
        "pixel_fpr": 5 / 980,
        "pixel_fpr_breast": 4 / 480,
        "pixel_precision": 15 / 20,
        "pixel_recall": 15 / 20,
        "pixel_dice": 30 / 40,
        "pixel_iou": 15 / 25,
        "pixel_auprc": 1,
    }
    assert values([scores_of()]) == pytest.approx(expected)


def test_images_are_pooled_by_their_mcs_not_averaged():
    few = scores_of("few", marks=(1, 0, 0, 0), true_mcs=1)
    many = scores_of("many", marks=(0, 0, 0, 0), true_mcs=9)
    assert values([few, many])["mc_sensitivity"] == pytest.approx(0.1)


def test_an_image_without_clusters_counts_for_specificity_alone():
    clear = scores_of("clear", marks=(0, 0, 0, 0), true_mcs=0, true_clusters=0)
    alarm = scores_of("alarm", marks=(0, 9, 0, 1), true_mcs=0, true_clusters=0)
    figures = values([clear, alarm, scores_of("sick")])
    assert figures["image_specificity"] == pytest.approx(1 / 2)
    assert figures["image_sensitivity"] == pytest.approx(1)


def test_an_image_without_any_mc_pixel_does_not_enter_the_mean_iou():
    empty = scores_of("empty", image_iou=float("nan"), matched_iou=())
    assert values([empty, scores_of("full")])["image_iou"] == pytest.approx(0.4)


def test_sensitivity_at_a_rate_takes_the_best_threshold_that_keeps_to_it():
    curve = np.zeros((len(THRESHOLDS), 4), int)
    curve[:HALF] = (4, 50, 2, 3)  # low thresholds: all found, 1 false MC per cm2
    curve[HALF:] = (2, 5, 1, 0)  # high ones: half of it, 0.1 per cm2
    figures = values([scores_of(curve=curve)])
    assert figures["mc_sensitivity_at_1_fp_per_cm2"] == 1
    assert figures["mc_sensitivity_at_0.4_fp_per_cm2"] == 0.5
    assert figures["mc_sensitivity_at_0.1_fp_per_cm2"] == 0.5
    assert figures["cluster_sensitivity_at_0.35_false_per_image"] == 0.5


def test_sensitivity_at_a_rate_that_no_threshold_keeps_to_is_zero():
    assert sensitivity_at(np.array([0.9, 0.5]), np.array([3.0, 2.0]), 1.0) == 0
    assert np.isnan(sensitivity_at(np.full(2, np.nan), np.array([3.0, 2.0]), 1.0))


def test_thresholds_are_probabilities_in_order():
    assert list(THRESHOLDS) == sorted(set(THRESHOLDS))
    assert 0 < THRESHOLDS[0] < THRESHOLDS[-1] < 1


def test_images_of_one_patient_are_drawn_together():
    weights = resampling_weights(["p1", "p2", "p1", "p3"], 500)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert not (weights[:, 0] == weights[:, 1]).all()


def test_resampling_is_the_same_every_time():
    assert (resampling_weights(["a", "b", "c"]) == resampling_weights(["a", "b", "c"])).all()


def test_interval_of_a_known_spread():
    assert interval(np.arange(1001.0)) == pytest.approx((25, 975))
    assert interval(np.array([np.nan, 2.0, np.nan])) == (2.0, 2.0)
    assert interval(np.array([np.nan])) is None


def test_bounds_enclose_the_figure_and_narrow_with_more_patients():
    def width(count):
        scores = [
            scores_of(str(i), marks=(3, 2, 1, 1) if i % 2 else (1, 2, 1, 1)) for i in range(count)
        ]
        figure = compute(DEFINITIONS[0], Sample(scores), scores)
        assert figure.low <= figure.value <= figure.high
        return figure.high - figure.low

    assert width(64) < 0.6 * width(8)


def test_images_that_are_all_alike_leave_no_doubt():
    scores = [scores_of(name) for name in "abcd"]
    figure = compute(DEFINITIONS[0], Sample(scores), scores)
    assert (figure.low, figure.high) == (0.75, 0.75)
    assert (figure.images, figure.patients, figure.data) == (4, 4, "simulated")


def test_a_single_patient_gives_no_bounds():
    scores = [scores_of("a"), scores_of("a")]
    figure = compute(DEFINITIONS[0], Sample(scores), scores)
    assert figure.low is None
    assert figure.high is None
    assert figure.patients == 1


def test_kinds_are_reported_apart_and_together():
    mixed = [
        scores_of("a", "film", (0, 2, 0, 1)),
        scores_of("b", "digital", (4, 0, 2, 0)),
        scores_of("c", "digital", (4, 0, 2, 0)),
    ]
    groups = {group.name: group for group in summarise(mixed)}
    assert list(groups) == ["all", "digital", "film"]
    assert groups["all"].figures[0].value == pytest.approx(8 / 12)
    assert groups["digital"].figures[0].value == 1
    assert groups["film"].figures[0].value == 0
    assert [group.name for group in summarise(mixed[:1])] == ["all"]


def test_json_carries_each_figure_with_all_that_it_needs_and_no_nan():
    scores = [scores_of("a", image_iou=float("nan")), scores_of("b", "film")]
    report = json.loads(json.dumps(as_json(summarise(scores), scores), allow_nan=False))
    assert report["schema"] == "microcalc-evaluation"
    for group in report["groups"]:
        assert set(group["figures"][0]) == {
            *("key", "label", "unit", "definition", "value", "low", "high"),
            *("images", "patients", "data"),
        }
        assert len(group["curves"]["mc_froc"]) == len(THRESHOLDS)
    assert [case["name"] for case in report["cases"]] == ["a", "b"]
    assert report["cases"][0]["image_iou"] is None


def test_the_table_says_what_the_data_are_and_defines_every_figure():
    table = as_table(summarise([scores_of("a"), scores_of("b", "film")]))
    assert table.startswith("Data: simulated.")
    assert "95 %" in table
    for definition in DEFINITIONS:
        assert definition.text in table
    assert "0.750 [0.750, 0.750]" in table


def test_figures_near_one_keep_their_digits():
    good = scores_of(pixels=PixelCounts(10, 1, 0, 23_000_000, 1000, 1))
    assert "1.000000" not in as_table(summarise([good]))
    assert "4.35e-08" in as_table(summarise([good]))


def of_regions(name="film"):
    """An image that outlines 2 regions, of which 1 is marked, beside 1 false cluster."""
    case = CaseName(name, name, "film", "CBIS-DDSM", "cluster")
    nothing = np.zeros(BINS, int)
    counts = {"true_mcs": 0, "matched_iou": (), "image_iou": float("nan")}
    counts |= {"pixels": PixelCounts(0, 0, 0, 0, 0, 0), "positive": nothing, "negative": nothing}
    return scores_of(marks=(0, 0, 1, 1), case=case, **counts)


def test_images_that_outline_regions_count_for_clusters_alone():
    alone, both = values([scores_of()]), values([scores_of(), of_regions(), of_regions("b")])
    clusters = {key for key in alone if "cluster" in key or key.startswith("image_s")}
    assert {key: both[key] for key in both.keys() - clusters} == {
        key: alone[key] for key in alone.keys() - clusters
    }
    assert both["cluster_sensitivity"] == 3 / 6
    assert both["false_clusters_per_image"] == 1


def test_figures_of_mcs_are_left_out_where_only_regions_are_outlined_and_the_table_says_why():
    figures = values([of_regions()])
    assert figures["mc_sensitivity"] is figures["pixel_accuracy"] is figures["image_iou"] is None
    assert figures["mc_false_positives_per_cm2"] is figures["pixel_auprc"] is None
    assert figures["cluster_sensitivity"] == 1 / 2
    groups = summarise([of_regions(), scores_of()])
    assert "1 of 2 images outline regions that hold MCs, not the MCs" in as_table(groups)
    assert [group.region_images for group in groups] == [1, 0, 1]
    assert "outline regions that hold MCs" not in as_table(summarise([scores_of()]))
    assert as_json(groups, [of_regions()])["cases"][0]["level"] == "cluster"
