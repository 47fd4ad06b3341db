"""The figures of all images together and of each kind, as a table and as JSON."""

from dataclasses import asdict, dataclass

import numpy as np

from ..training.datasets.annotated import CLUSTER_LEVEL
from .definitions import (
    CLUSTER_MARKS,
    CLUSTER_OUT_OF,
    DEFINITIONS,
    IGNORED_PIXELS,
    MC_MARKS,
    MC_OUT_OF,
)
from .figures import Figure, Sample, compute, free_response
from .froc import THRESHOLDS
from .scores import CaseScores

SCHEMA = "microcalc-evaluation"
SCHEMA_VERSION = 1
_EMPTY_CELL = "-"
LEFT_OUT = (
    "{} of {} images outline regions that hold MCs, not the MCs: they count for clusters and "
    "images, and the figures of MCs and pixels leave them out."
)


@dataclass(frozen=True)
class Group:
    """name: "all", "digital", "film", ... curves: name -> points, for JSON.

    region_images: those that outline regions instead of MCs.
    """

    name: str
    images: int
    patients: int
    data: str
    true_mcs: int
    true_clusters: int
    region_images: int
    breast_cm2: float
    figures: tuple[Figure, ...]
    curves: dict[str, list[dict[str, float]]]


def summarise(scores: list[CaseScores]) -> list[Group]:
    """All images together, and each kind apart where there is more than one.

    scores: at least one.
    """
    kinds = sorted({score.case.kind for score in scores})
    groups = [_group("all", scores)]
    if len(kinds) > 1:
        groups += [_group(k, [score for score in scores if score.case.kind == k]) for k in kinds]
    return groups


def as_json(groups: list[Group], scores: list[CaseScores]) -> dict:
    """Everything, ready for `json.dumps`: no NaN in it."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "groups": [asdict(group) for group in groups],
        "cases": [_case_json(score) for score in scores],
    }


def as_table(groups: list[Group]) -> str:
    """The figures for a terminal: a column per group, then the definitions."""
    rows = [["", *(group.name for group in groups)]]
    rows.append(["images / patients", *(f"{g.images} / {g.patients}" for g in groups)])
    rows.append(["true MCs / clusters", *(f"{g.true_mcs} / {g.true_clusters}" for g in groups)])
    for position, figure in enumerate(groups[0].figures):
        label = f"{figure.label} ({figure.unit})" if figure.unit else figure.label
        rows.append([label, *(_cell(group.figures[position]) for group in groups)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines[1:1] = ["-" * (sum(widths) + 2 * (len(widths) - 1))]
    notes = [f"  {figure.label}: {figure.definition}" for figure in groups[0].figures]
    heading = f"Data: {groups[0].data}. In brackets: 95 % intervals, patients resampled."
    notes.append(f"  ignored pixels: {IGNORED_PIXELS}")
    if groups[0].region_images:
        heading += "\n" + LEFT_OUT.format(groups[0].region_images, groups[0].images)
    return "\n".join([heading, "", *lines, "", "Definitions", *notes])


def _group(name: str, scores: list[CaseScores]) -> Group:
    sample = Sample(scores)
    figures = tuple(compute(definition, sample, scores) for definition in DEFINITIONS)
    return Group(
        name=name,
        images=len(scores),
        patients=figures[0].patients,
        data=figures[0].data,
        true_mcs=sum(score.true_mcs for score in scores),
        true_clusters=sum(score.true_clusters for score in scores),
        region_images=sum(score.case.level == CLUSTER_LEVEL for score in scores),
        breast_cm2=sum(score.breast_cm2 for score in scores),
        figures=figures,
        curves={
            "mc_froc": _curve(sample, MC_MARKS, MC_OUT_OF, "false_per_cm2"),
            "cluster_froc": _curve(sample, CLUSTER_MARKS, CLUSTER_OUT_OF, "false_per_image"),
        },
    )


def _curve(sample: Sample, marks: tuple, out_of: tuple, rate_name: str) -> list[dict]:
    everything = np.ones((1, len(sample.positive)))
    sensitivity, false_rate = free_response(sample, everything, marks, out_of)
    return [
        {"threshold": t, "sensitivity": _finite(s), rate_name: _finite(f)}
        for t, s, f in zip(THRESHOLDS, sensitivity[0], false_rate[0], strict=True)
    ]


def _case_json(score: CaseScores) -> dict:
    return {
        **asdict(score.case),
        "threshold": score.threshold,
        "breast_cm2": score.breast_cm2,
        "true_mcs": score.true_mcs,
        "true_clusters": score.true_clusters,
        **asdict(score.marks),
        "image_iou": _finite(score.image_iou),
        "pixels": asdict(score.pixels),
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _cell(figure: Figure) -> str:
    if figure.value is None:
        return _EMPTY_CELL
    text = _number(figure.value)
    if figure.low is not None:
        text += f" [{_number(figure.low)}, {_number(figure.high)}]"
    return text


def _number(value: float) -> str:
    # Whole-image accuracy and FPR differ from 1 and 0 in the fourth decimal and beyond.
    if 0.999 <= value < 1:
        return f"{value:.6f}" if value < 0.9999995 else f"1 - {1 - value:.1e}"
    return f"{value:.3f}" if value == 0 or value >= 0.01 else f"{value:.2e}"
