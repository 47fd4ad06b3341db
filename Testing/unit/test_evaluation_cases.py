"""Test cases from a folder or from simulation, and runs over them that can be resumed."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import SimpleITK
from MicrocalcSegmentationLib.errors import Cancelled, InputError
from MicrocalcSegmentationLib.evaluation.cases import (
    TEST_SEED_START,
    Case,
    folder_cases,
    simulated_cases,
)
from MicrocalcSegmentationLib.evaluation.picture import FOUND_COLOUR, IGNORED_COLOUR, TRUE_COLOUR
from MicrocalcSegmentationLib.evaluation.picture import draw_found_and_true as draw
from MicrocalcSegmentationLib.evaluation.runs import Run, evaluate
from MicrocalcSegmentationLib.evaluation.scores import CaseName
from MicrocalcSegmentationLib.evaluation.store import Store
from MicrocalcSegmentationLib.simulation.cases import CaseOptions, simulate_case
from MicrocalcSegmentationLib.training.datasets.annotated import Annotation
from MicrocalcSegmentationLib.training.pair import VALIDATION_SEEDS_FROM
from PIL import Image

RNG = np.random.default_rng(3)
IMAGE = RNG.integers(100, 4000, (90, 70)).astype(np.uint16)


def write(path, values, spacing=(0.1, 0.1)):
    image = SimpleITK.GetImageFromArray(values)
    if image.GetDimension() == 2:
        image.SetSpacing(spacing)
    SimpleITK.WriteImage(image, str(path))


@pytest.fixture
def mask():
    values = np.zeros(IMAGE.shape, np.uint8)
    values[30:33, 20:22] = 1
    return values


@pytest.mark.parametrize("mask_type", ["nrrd", "png"])
def test_an_image_and_its_mask_make_a_case(tmp_path, mask, mask_type):
    write(tmp_path / "b.nrrd", IMAGE)
    write(tmp_path / f"b_mask.{mask_type}", mask * 255)
    write(tmp_path / "without.nrrd", IMAGE)
    (case,) = folder_cases(tmp_path)
    truth = case.load()
    assert case.name == CaseName("b", "b", "unstated", f"folder {tmp_path.name}")
    assert (truth.mammogram.pixels == IMAGE).all()
    assert truth.mask.dtype == bool
    assert (truth.mask == (mask > 0)).all()
    assert not truth.uncertain.any()


@pytest.mark.parametrize("ignored_type", ["nrrd", "png"])
def test_pixels_to_ignore_are_read_where_they_are_given_and_never_an_mc(
    tmp_path, mask, ignored_type
):
    for name in ("b", "c"):
        write(tmp_path / f"{name}.nrrd", IMAGE)
        write(tmp_path / f"{name}_mask.nrrd", mask)
    ignored = np.zeros_like(mask)
    ignored[32:40, 21:30] = 1  # one pixel of it is MC as well
    write(tmp_path / f"b_ignored.{ignored_type}", ignored * 255)
    one, other = folder_cases(tmp_path)
    assert (one.load().uncertain == ((ignored > 0) & (mask == 0))).all()
    assert not other.load().uncertain.any()
    before = one.identity
    write(tmp_path / f"b_ignored.{ignored_type}", ignored[::-1].copy())
    assert folder_cases(tmp_path)[0].identity != before


def test_of_two_masks_of_an_image_one_is_taken(tmp_path, mask):
    write(tmp_path / "b.nrrd", IMAGE)
    write(tmp_path / "b_mask.nrrd", mask)
    write(tmp_path / "b_mask.png", mask)
    (case,) = folder_cases(tmp_path)
    assert case.identity["mask"] == "b_mask.nrrd"


def test_what_is_said_beside_an_image_is_used(tmp_path, mask):
    write(tmp_path / "b.nrrd", IMAGE)
    write(tmp_path / "b_mask.nrrd", mask)
    known = {"simulated": True, "options": {"kind": "film"}, "patient": "P7"}
    (tmp_path / "b.json").write_text(json.dumps(known))
    (case,) = folder_cases(tmp_path)
    assert case.name == CaseName("b", "P7", "film", "simulated")


def test_a_spacing_is_handed_to_images_that_state_none(tmp_path, mask):
    Image.fromarray(IMAGE).save(tmp_path / "b.png")
    write(tmp_path / "b_mask.png", mask)
    with pytest.raises(InputError, match="spacing"):
        folder_cases(tmp_path)[0].load()
    truth = folder_cases(tmp_path, (0.05, 0.07))[0].load()
    assert truth.mammogram.spacing_mm == (0.05, 0.07)


def test_a_mask_on_another_grid_is_refused(tmp_path, mask):
    write(tmp_path / "b.nrrd", IMAGE)
    write(tmp_path / "b_mask.nrrd", mask[:, :-1])
    with pytest.raises(InputError, match=r"b_mask.nrrd: the mask has 90 x 69 pixels, its image 90"):
        folder_cases(tmp_path)[0].load()


def test_a_mask_of_one_slice_is_taken_as_flat(tmp_path, mask):
    write(tmp_path / "b.nrrd", IMAGE)
    write(tmp_path / "b_mask.nrrd", mask[None])
    assert (folder_cases(tmp_path)[0].load().mask == (mask > 0)).all()


@pytest.mark.parametrize("which", ["mask", "ignored"])
def test_a_damaged_mask_is_refused(tmp_path, mask, which):
    write(tmp_path / "b.nrrd", IMAGE)
    write(tmp_path / "b_mask.nrrd", mask)
    (tmp_path / f"b_{which}.nrrd").write_bytes(b"NRRD0004\nnonsense")
    with pytest.raises(InputError, match=rf"b_{which}.nrrd: cannot be read as a mask"):
        folder_cases(tmp_path)[0].load()


def test_a_simulated_case_leaves_open_what_is_benign_or_too_faint(monkeypatch):
    from MicrocalcSegmentationLib.evaluation import cases

    small = {"spacing_mm": 0.1, "shape": (900, 700), "clusters": 2}

    def simulate(seed, options):
        return simulate_case(seed, replace(options, **small))

    monkeypatch.setattr(cases, "simulate_case", simulate)
    (case,) = simulated_cases(1)
    truth = case.load()
    whole = simulate(case.identity["seed"], CaseOptions(kind="digital"))
    assert truth.mask.any()
    assert truth.uncertain.any()
    assert not (truth.mask & truth.uncertain).any()
    assert ((truth.mask | truth.uncertain) == (whole.labels > 0)).all()


def test_damaged_words_beside_an_image_are_refused(tmp_path, mask):
    write(tmp_path / "b.nrrd", IMAGE)
    write(tmp_path / "b_mask.nrrd", mask)
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(InputError, match=r"b.json: not readable as JSON"):
        folder_cases(tmp_path)


def test_a_folder_without_pairs_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        folder_cases(tmp_path / "missing")
    write(tmp_path / "b.nrrd", IMAGE)
    with pytest.raises(InputError, match="no image with its mask"):
        folder_cases(tmp_path)


def test_simulated_cases_take_turns_and_share_no_seed_with_other_sets():
    first, second = simulated_cases(5), simulated_cases(5, seed=1)
    assert [case.name.kind for case in first] == ["digital", "film", "digital", "film", "digital"]
    seeds = {case.identity["seed"] for case in first + second}
    assert len(seeds) == 10
    assert all(case.name.data == "simulated" for case in first)


def test_test_seeds_are_above_those_of_usual_training():
    usual_training = range(100)  # `microcalc train --seed`
    last_validation = VALIDATION_SEEDS_FROM + max(usual_training) * 10_000 + 9_999
    assert last_validation < TEST_SEED_START


@pytest.fixture
def cases(make_findings):
    findings = make_findings()

    def load():
        mask = findings.mask
        return Annotation(findings.mammogram, mask, np.zeros_like(mask))

    def refuse():
        raise InputError("bad.dcm: too dark; expose it again")

    names = ("one", "two", "bad")
    loads = (load, load, refuse)
    return [
        Case(CaseName(n, n, "film", "simulated"), {"seed": i}, how)
        for i, (n, how) in enumerate(zip(names, loads, strict=True))
    ]


class Segmenter:
    def __init__(self, findings):
        self.findings = findings
        self.calls = 0

    def __call__(self, mammogram, progress):
        self.calls += 1
        return self.findings


def test_a_refused_case_does_not_stop_the_others(cases, make_findings):
    outcome = evaluate([cases[2], *cases[:2]], Run(Segmenter(make_findings()), {}))
    assert [scores.case.name for scores in outcome.scores] == ["one", "two"]
    assert outcome.refused == {"bad": "bad.dcm: too dark; expose it again"}
    assert outcome.scores[0].marks.matched == 15


def test_what_is_left_open_is_no_false_mark(cases, make_findings):
    findings = make_findings()
    truth = np.isin(findings.labels, range(1, 14))  # the 13 in clusters
    mammogram = findings.mammogram
    for uncertain, false in ((findings.mask & ~truth, 0), (np.zeros_like(truth), 2)):
        case = replace(cases[0], load=partial(Annotation, mammogram, truth, uncertain))
        (scores,) = evaluate([case], Run(Segmenter(findings), {})).scores
        assert (scores.marks.matched, scores.marks.false_mcs) == (13, false)


def test_a_second_run_takes_the_stored_counts(cases, make_findings, tmp_path):
    segmenter = Segmenter(make_findings())
    run = Run(segmenter, {"threshold": 0.5, "pair": (1, 2)}, Store(tmp_path))
    first = evaluate(cases[:2], run)
    second = evaluate(cases[:2], run)
    assert segmenter.calls == 2
    for one, other in zip(first.scores, second.scores, strict=True):
        assert (one.case, one.marks, one.pixels) == (other.case, other.marks, other.pixels)
        assert one.matched_iou == other.matched_iou
        assert (one.curve == other.curve).all()
        assert (one.negative == other.negative).all()


def test_another_model_threshold_or_image_is_evaluated_again(cases, make_findings, tmp_path):
    segmenter = Segmenter(make_findings())
    for key in ({"model": "a"}, {"model": "b"}, {"model": "b", "threshold": 0.3}):
        evaluate(cases[:1], Run(segmenter, key, Store(tmp_path)))
    evaluate([replace(cases[0], identity={"seed": 9})], Run(segmenter, key, Store(tmp_path)))
    assert segmenter.calls == 4


@pytest.mark.parametrize("damaged", ["one.json", "one.npz"])
def test_damaged_counts_are_made_again(cases, make_findings, tmp_path, damaged):
    segmenter = Segmenter(make_findings())
    run = Run(segmenter, {}, Store(tmp_path))
    evaluate(cases[:1], run)
    (tmp_path / damaged).write_bytes((tmp_path / damaged).read_bytes()[:40])
    assert evaluate(cases[:1], run).scores[0].marks.matched == 15
    assert segmenter.calls == 2


def test_a_stopped_run_goes_on_where_it_was(cases, make_findings, tmp_path):
    segmenter = Segmenter(make_findings())
    run = Run(segmenter, {}, Store(tmp_path))

    class StopAtSecond:
        def report(self, fraction, text):
            if "two" in text:
                raise Cancelled

    with pytest.raises(Cancelled):
        evaluate(cases[:2], run, StopAtSecond())
    assert len(evaluate(cases[:2], run).scores) == 2
    assert segmenter.calls == 2


def test_the_picture_shows_found_and_true_in_their_colours(make_findings):
    findings = make_findings()
    truth = np.roll(findings.mask, 8, axis=1)
    nothing = np.zeros_like(truth)
    pixels = np.array(draw(findings, truth, nothing)).reshape(-1, 3)

    def area(picture, colour):
        return int((picture == colour).all(axis=1).sum())

    empty = np.array(draw(findings, nothing, truth)).reshape(-1, 3)
    assert area(empty, IGNORED_COLOUR) > 2000
    assert area(pixels, IGNORED_COLOUR) < 1000  # the legend
    assert area(pixels, FOUND_COLOUR) > 2000
    assert area(pixels, TRUE_COLOUR) > 2000
    assert area(empty, TRUE_COLOUR) < 1000  # the legend


def test_the_picture_of_an_image_without_mcs_is_drawn(make_findings):
    findings = make_findings(clusters={}, isolated=[])
    assert draw(findings, findings.mask, findings.mask).size[1] > 1000
