"""Evaluating many images one after the other."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .. import __version__
from ..errors import InputError
from ..findings import Findings
from ..mammogram import Mammogram
from ..progress import Part, Progress, Silent
from ..training.datasets.annotated import Annotation
from .cases import Case
from .scores import COUNTING_VERSION, CaseScores, score_case
from .store import Store

SegmentOne = Callable[[Mammogram, Progress], Findings]
Seen = Callable[[Case, Findings, Annotation], None]


def _nothing(case: Case, findings: Findings, truth: Annotation) -> None:
    pass


@dataclass(frozen=True)
class Run:
    """How images are evaluated.

    segment_one: segments a mammogram. key: JSON-able; what its results depend on besides
    the image (model, thresholds). store: where counts are kept; None keeps none.
    seen: called with each image that was segmented, for pictures of it.
    """

    segment_one: SegmentOne
    key: dict
    store: Store | None = None
    seen: Seen = _nothing


@dataclass
class Outcome:
    """scores: of the images that could be evaluated. refused: name -> sentence why not."""

    scores: list[CaseScores] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def evaluate(cases: list[Case], run: Run, progress: Progress | None = None) -> Outcome:
    """Score every case; one that is refused does not stop the others.

    Images that the store already has are not segmented again. May raise Cancelled.
    """
    progress = progress or Silent()
    outcome = Outcome()
    for number, case in enumerate(cases):
        part = Part(progress, number / len(cases), (number + 1) / len(cases))
        part.report(0, f"{case.name.name} ({number + 1} of {len(cases)})")
        try:
            outcome.scores.append(_evaluate_one(case, run, part))
        except InputError as error:
            outcome.refused[case.name.name] = str(error)
    progress.report(1, "evaluated")
    return outcome


def _evaluate_one(case: Case, run: Run, progress: Progress) -> CaseScores:
    key = {**run.key, "library": __version__, "counting": COUNTING_VERSION}
    key["case"] = case.identity
    stored = run.store.load(case.name.name, key) if run.store else None
    if stored is not None:
        return stored
    progress.report(0, f"{case.name.name}: loading")
    truth = case.load()
    findings = run.segment_one(truth.mammogram, Part(progress, 0.1, 0.9))
    progress.report(0.9, f"{case.name.name}: comparing with the truth")
    scores = score_case(case.name, findings, truth.mask, truth.uncertain)
    run.seen(case, findings, truth)
    if run.store:
        run.store.save(case.name.name, key, scores)
    return scores
