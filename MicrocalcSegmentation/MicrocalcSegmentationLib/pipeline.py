"""From a mammogram to its findings: the one way that every user of the library takes."""

import logging
from dataclasses import replace
from functools import partial

import numpy as np

from .bands import at_once
from .breast import breast_region
from .calcifications import Measured, centroids, keep, label_calcifications, measure, window_of
from .clusters import find_groups
from .errors import InputError
from .findings import Findings, Scores
from .inference.dense import score_pixels_dense, score_windows
from .inference.engines import open_network
from .inference.windows import (
    Work,
    candidate_mask,
    score_patches,
    score_pixels,
    window_grid,
)
from .lookalikes import mark_vascular, may_be_vascular
from .mammogram import Mammogram
from .model import ARTERIES, Model
from .neighbours import reconsider
from .progress import Part, Progress, Silent
from .resampling import resize_mask, sample, sample_at, sample_plateaus_at
from .settings import METHOD_SPACING_MM, Settings
from .splitting import distinct_calcifications, split_touching
from .vessels import HALF as HALF_PX
from .vessels import STEP_PX, arteries_in, halved, on_lattice, where_to_look
from .working import WorkingBreast, working_breast

VASCULAR_PROBABILITY = 0.06  # of a calcification along a vessel, whatever the threshold on MCs

_log = logging.getLogger(__name__)


def segment(
    mammogram: Mammogram,
    model: Model,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Find the microcalcifications of a mammogram and group them into clusters.

    The breast is separated from the background by Otsu's threshold and brought to
    0.05 mm and to units of its local texture. The detector scans it in windows that
    overlap by half; the segmentator classifies every pixel of the positive ones, and what
    it marks is weighed by its neighbours where the model has learnt to. The probabilities
    come back to the image's own grid, where they are thresholded,
    labelled, measured and grouped.

    Raises InputError when the image cannot be used; lets `Cancelled` from progress pass.
    """
    progress = progress or Silent()
    scores = score(mammogram, model, settings, Part(progress, 0.0, 0.95))
    progress.report(0.95, "measuring")
    findings = describe(scores)
    progress.report(1.0, "done")
    return findings


def score(
    mammogram: Mammogram,
    model: Model,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Scores:
    """Run both networks: `segment` up to the probabilities on the image's own grid.

    Raises InputError and lets `Cancelled` pass, as `segment` does.
    """
    settings, progress = settings or Settings(), progress or Silent()
    threshold = model.threshold if settings.threshold is None else settings.threshold
    detector_threshold = (
        model.detector_threshold
        if settings.detector_threshold is None
        else settings.detector_threshold
    )
    settings = replace(settings, threshold=threshold, detector_threshold=detector_threshold)
    progress.report(0.0, "finding the breast")
    breast = breast_region(mammogram)
    working = working_breast(mammogram, breast, Part(progress, 0.02, 0.1))
    _require_a_patch(mammogram, working, model)
    candidates = _detect(working, model, settings, Part(progress, 0.1, 0.5))
    probability = _segmentate(working, candidates, model, settings, Part(progress, 0.5, 0.95))
    odds_divisor = 1.0
    if _weighs_neighbours(model, settings):
        probability, odds_divisor = reconsider(
            probability, working.values, working.inside, model.neighbourhood, model.outline
        )
    arteries_px = _find_arteries(
        working, probability, model.arteries, settings, Part(progress, 0.95, 0.98)
    )
    made_by = (model, settings)
    scores = _on_own_grid(mammogram, breast, working, (candidates, probability), made_by)
    arteries = tuple(working.own_mm(one, mammogram.spacing_mm) for one in arteries_px)
    knows = f"{model.arteries.name} {model.arteries.version}"
    return replace(scores, odds_divisor=odds_divisor, arteries=arteries, arteries_model=knows)


def describe(scores: Scores, threshold: float | None = None) -> Findings:
    """Threshold, label, measure and group; no network runs, so any threshold is quick.

    threshold: None takes the one of the settings. Calcifications along a vessel count from
    `VASCULAR_PROBABILITY` on, and nothing else below the threshold does.
    """
    threshold = scores.settings.threshold if threshold is None else threshold
    settings = replace(scores.settings, threshold=threshold)
    scores = replace(scores, settings=settings)
    mask = scores.probability >= threshold
    along_vessels = _along_vessels(scores)
    if along_vessels is None:
        return describe_mask(scores, mask)
    findings = describe_mask(scores, mask | along_vessels)
    # Among what else is in the mask, a vessel may no longer be told; its faint ones are none then.
    faint = (mc for mc in findings.calcifications if mc.probability < threshold)
    return findings if all(mc.vascular for mc in faint) else describe_mask(scores, mask)


def describe_mask(scores: Scores, mask: np.ndarray) -> Findings:
    """Label, measure and group a (rows, cols) bool mask of MCs, drawn by hand for one.

    MCs that touch are told apart in the image: the mask of findings gives the same ones.
    """
    mammogram, spacing_mm = scores.mammogram, scores.mammogram.spacing_mm
    min_area_mm2 = scores.settings.min_mc_area_mm2
    box = window_of(mask, spacing_mm)
    on = Measured(mammogram.pixels, scores.deviation, scores.probability).part(box)
    distinct = distinct_calcifications(mask[box], on.pixels, spacing_mm, min_area_mm2)
    measured = measure(distinct, on, spacing_mm)
    labels = np.zeros(mask.shape, np.int32)
    labels[box] = distinct
    calcifications, clusters, vascular = find_groups(labels, measured, spacing_mm, scores.arteries)
    return Findings(
        mammogram=mammogram,
        probability=scores.probability,
        labels=labels,
        breast=scores.breast,
        candidates=scores.candidates,
        calcifications=calcifications,
        clusters=clusters,
        threshold=scores.settings.threshold,
        detector_threshold=scores.settings.detector_threshold,
        model_name=scores.model_name,
        model_version=scores.model_version,
        settings=scores.settings,
        vascular=vascular,
        odds_divisor=scores.odds_divisor,
        arteries_model=scores.arteries_model,
    )


def _along_vessels(scores: Scores) -> np.ndarray | None:
    """(rows, cols) bool: vascular calcifications, which the networks hardly answer to.

    They learn to leave them; a chain of faint answers along a vessel is evidence enough.
    """
    mammogram, spacing_mm = scores.mammogram, scores.mammogram.spacing_mm
    min_area_mm2 = scores.settings.min_mc_area_mm2
    mask = scores.probability >= VASCULAR_PROBABILITY
    box = window_of(mask, spacing_mm)
    on = Measured(mammogram.pixels, scores.deviation, scores.probability).part(box)
    regions = label_calcifications(mask[box], spacing_mm, min_area_mm2)
    may_be = may_be_vascular(centroids(regions) * spacing_mm, scores.arteries)
    if not may_be.any():
        return None
    keep(regions, may_be)
    distinct = split_touching(regions, on.pixels, spacing_mm, min_area_mm2)
    measured = measure(distinct, on, spacing_mm)
    labels = np.zeros(mask.shape, np.int32)
    labels[box] = distinct
    marked = mark_vascular(measured, spacing_mm, scores.arteries)
    vascular = np.array([mc.vascular > 0 for mc in marked])
    if not vascular.any():
        return None
    keep(distinct, vascular)
    mask[box] = distinct > 0
    return mask


def _require_a_patch(mammogram: Mammogram, working: WorkingBreast, model: Model) -> None:
    shape = working.values.shape
    side = max(architecture.patch_side for architecture in model.architectures.values())
    if min(shape) < side:
        raise InputError(
            f"{mammogram.source.name}: the breast measures {shape[0]} x {shape[1]} pixels of "
            f"0.05 mm, less than one patch of {side}; give a larger image, or check its spacing"
        )


def _detect(working: WorkingBreast, model: Model, settings: Settings, progress: Progress):
    """(rows, cols) bool on the working grid: breast pixels of positive windows."""
    network = open_network(model, "detector", settings.engine, settings.device)
    side = network.architecture.patch_side
    work = Work(settings.batch_size, progress, "detector: scanning the breast")
    progress.report(0.0, work.text)
    starts = window_grid(working.inside, side)
    scores = _score_windows(working.values, starts, network, settings, work)
    positive = scores >= settings.detector_threshold
    _log.info("%d of %d windows are candidates", positive.sum(), len(starts))
    return candidate_mask(working.values.shape, starts, positive, side) & working.inside


def _score_windows(pixels, starts, network, settings: Settings, work: Work) -> np.ndarray:
    """(n,) float32 probability of the windows that start there."""
    if settings.evaluation == "windows":
        return score_patches(pixels, starts, network.architecture, network.patches, work)
    return score_windows(pixels, starts, network, work)


def _segmentate(
    working: WorkingBreast,
    candidates: np.ndarray,
    model: Model,
    settings: Settings,
    progress: Progress,
) -> np.ndarray:
    """(rows, cols) float32 probability on the working grid, 0 outside the candidates."""
    network = open_network(model, "segmentator", settings.engine, settings.device)
    work = Work(settings.batch_size, progress, "segmentator: classifying candidate pixels")
    progress.report(0.0, work.text)
    if settings.evaluation == "windows" or network.shared is None:
        return score_pixels(working.values, candidates, network.architecture, network.patches, work)
    return score_pixels_dense(working.values, candidates, network, work)


def _find_arteries(
    working: WorkingBreast,
    probability: np.ndarray,
    model: Model,
    settings: Settings,
    progress: Progress,
) -> list[np.ndarray]:
    """(n, 2) pixels of the working grid, of each calcified artery that candidates lie near."""
    regions = label_calcifications(
        probability >= VASCULAR_PROBABILITY, (METHOD_SPACING_MM,) * 2, settings.min_mc_area_mm2
    )
    inside = on_lattice(working.inside)
    asked = where_to_look(centroids(regions), inside)
    if not asked.any():
        return []
    network = open_network(model, ARTERIES, settings.engine, settings.device)
    work = Work(settings.batch_size, progress, "looking for calcified arteries")
    progress.report(0.0, work.text)
    # Padded by half a patch, the square around a place starts at the place itself.
    seen = np.pad(halved(working.values, working.inside), network.architecture.patch_side // 2)
    starts = np.argwhere(asked) * (STEP_PX // HALF_PX)
    answers = np.zeros(asked.shape, np.float32)
    answers[asked] = _score_windows(seen, starts, network, settings, work)
    return arteries_in(answers, inside, model.threshold)


def _weighs_neighbours(model: Model, settings: Settings) -> bool:
    return settings.neighbours and model.neighbourhood is not None


def _on_own_grid(mammogram: Mammogram, breast, working: WorkingBreast, maps, made_by) -> Scores:
    """Bring the maps to the image's own grid."""
    (candidates, probability), (model, settings) = maps, made_by
    shape, box = mammogram.pixels.shape, working.box
    # Zeros cost neither time nor memory until they are written to: most of them never are.
    own_candidates, deviation = np.zeros(shape, bool), np.zeros(shape, np.float32)
    brought_back, deviation[box] = at_once(
        partial(resize_mask, candidates, working.own_shape),
        partial(sample, working.deviation, working.own_shape),
    )
    np.logical_and(brought_back, breast[box], out=own_candidates[box])
    own_probability = np.zeros(shape, np.float32)
    found = own_candidates[box]
    # A fifth of the time that `nonzero` takes in two dimensions.
    places = np.unravel_index(np.flatnonzero(found), found.shape)
    brought = sample_plateaus_at if _weighs_neighbours(model, settings) else sample_at
    # Interpolation reaches a pixel beyond the candidates, and rounding beyond 0 and 1.
    own_probability[box][found] = np.clip(brought(probability, found.shape, places), 0, 1)
    return Scores(
        mammogram=mammogram,
        breast=breast,
        candidates=own_candidates,
        probability=own_probability,
        deviation=deviation,
        model_name=model.name,
        model_version=model.version,
        settings=settings,
    )
