"""What the window and the Python console do: run the worker, write what it finds.

Only the thread that calls these functions touches the scene; the worker is another process.
"""

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import Cancelled, InputError, MicrocalcError
from ..export import file_stem, write_findings
from ..export.review import write_review
from ..export.staging import write_all
from ..export.training_case import write_training_case
from ..findings import Findings
from ..mrml.nodes import mask_of
from ..mrml.results import Results, find_results, write_results
from ..mrml.review import REJECTED, carry_over, reviews_of
from ..mrml.volumes import FindFile, mammogram_of
from ..progress import Progress, Silent
from ..settings import Settings
from . import messages
from .client import Answer, Scored, Worker

POLL_SECONDS = 0.05
_FIRST_ESTIMATE_SECONDS = 2.0  # before, the time left would be a guess


@dataclass(frozen=True)
class Options:
    """What a run is asked for. model: a name or folder; None is the default one."""

    settings: Settings = field(default_factory=Settings)
    model: str | None = None
    with_probability: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a job stands.

    kind: "progress", "done", "cancelled" or "failed". text: stage, or the sentence why it
    failed. seconds_left: None as long as it cannot be told. results: of a job that is done.
    """

    kind: str
    text: str = ""
    fraction: float = 0.0
    seconds_left: float | None = None
    results: Results | None = None
    findings: Findings | None = None


@dataclass
class _Kept:
    volume: object
    scored: Scored
    findings: Findings


class Detection:
    """Finds MCs in the volumes of a scene.

    Keeps what the networks said of each volume, so that a threshold can be moved and a
    corrected segmentation be measured without running them again.
    """

    def __init__(self, scene, worker: Worker | None = None, find_file: FindFile | None = None):
        self._scene = scene
        self._worker = worker or Worker()
        self._find_file = find_file
        self._kept: dict[str, _Kept] = {}
        self._volume = None
        self._options = Options()
        self._pending: tuple | None = None
        self._began = 0.0

    @property
    def running(self) -> bool:
        """Whether a job is under way."""
        return self._worker.running

    def segment(
        self, volume, options: Options | None = None, progress: Progress | None = None
    ) -> tuple[Results, Findings]:
        """Find the MCs of a volume and wait for it; returns the nodes and the findings.

        Raises InputError, and ModelError as InputError, with the sentence for the user; lets
        Cancelled from progress pass. The scene is then as it was.
        """
        self.start(volume, options)
        return self._wait(progress or Silent())

    def rethreshold(self, volume, threshold: float) -> tuple[Results, Findings]:
        """Make the findings of another threshold and wait; the networks do not run."""
        self.start_threshold(volume, threshold)
        return self._wait(Silent())

    def start(self, volume, options: Options | None = None) -> None:
        """Begin to find the MCs of a volume. Raises InputError when it cannot be used."""
        mammogram = mammogram_of(volume, self._find_file)
        block = messages.block_of(mammogram)
        self._begin(volume, options or Options())
        self._pending = (mammogram, block)
        self._worker.score(mammogram, block, self._options.settings, self._options.model)

    def start_threshold(self, volume, threshold: float) -> None:
        """Begin to make the findings of another threshold; the networks do not run."""
        kept = self._require_kept(volume)
        self._begin(volume, self._options)
        self._worker.describe(kept.scored, threshold)

    def start_update(self, volume) -> None:
        """Begin to measure and group what the volume's segmentation holds now.

        Raises InputError where the segmentation is gone, or nothing is left in it.
        """
        kept = self._require_kept(volume)
        segmentation = find_results(self._scene, volume).segmentation
        if segmentation is None:
            raise InputError(f"{volume.GetName()}: its segmentation was deleted; run Detect again")
        mask = mask_of(segmentation, kept.scored.mammogram)
        if not mask.any():
            raise InputError(
                f"{volume.GetName()}: nothing is left in the segmentation; draw an MC, or "
                "run Detect again"
            )
        kept.scored.block["labels"][...] = mask
        self._begin(volume, self._options)
        self._worker.describe_mask(kept.scored)

    def poll(self) -> Outcome | None:
        """How the job stands now; findings that have come are written into the scene."""
        outcome = None
        for answer in self._worker.poll():
            outcome = self._outcome(answer)
        return outcome

    def cancel(self) -> None:
        """Stop the job; `poll` says so within a second. The scene stays as it was."""
        self._worker.cancel()

    def findings_of(self, volume) -> Findings | None:
        """The volume's last findings, as long as this session knows them."""
        kept = self._kept.get(volume.GetID() or "") if volume is not None else None
        return kept.findings if kept is not None and kept.volume is volume else None

    def forget_closed(self) -> None:
        """Free the memory of volumes that have left the scene."""
        for name, kept in list(self._kept.items()):
            if self._scene.GetNodeByID(name) is not kept.volume:
                del self._kept[name]

    def export(self, volume, folder: Path) -> list[Path]:
        """Write the files of `microcalc segment` and `review.csv` into a folder of the volume's.

        Raises InputError where there are no findings, or the folder cannot be written.
        """
        findings = self._require_kept(volume).findings
        stem = file_stem(volume.GetName())
        files = write_findings(findings, Path(folder) / stem, stem)
        reviews = [
            (one.cluster, one.review.state, one.review.note)
            for one in reviews_of(find_results(self._scene, volume))
        ]
        review = write_all(Path(folder) / stem, {"review.csv": partial(write_review, reviews)})
        return [*files.values(), *review.values()]

    def add_to_training_set(self, volume, folder: Path) -> list[Path]:
        """Write the image and the MCs that the reader has not rejected as a case to train on.

        Raises InputError where there are no findings, or the folder cannot be written.
        """
        findings = self._require_kept(volume).findings
        reviews = reviews_of(find_results(self._scene, volume))
        rejected = {one.cluster for one in reviews if one.review.state == REJECTED}
        numbers = [mc.number for mc in findings.calcifications if mc.cluster in rejected]
        mask = findings.mask & ~np.isin(findings.labels, numbers)
        stem = file_stem(volume.GetName())
        return write_training_case(findings.mammogram, mask, Path(folder), stem)

    def close(self) -> None:
        """End the worker and free all memory."""
        self._worker.close()
        self._kept.clear()

    def _wait(self, progress: Progress) -> tuple[Results, Findings]:
        while True:
            try:
                outcome = self.poll()
                if outcome and outcome.kind == "progress":
                    progress.report(outcome.fraction, outcome.text)
            except BaseException:
                self._worker.close()
                raise
            if outcome and outcome.kind != "progress":
                break
            time.sleep(POLL_SECONDS)
        if outcome.kind == "cancelled":
            raise Cancelled
        if outcome.kind == "failed":
            raise InputError(outcome.text)
        return outcome.results, outcome.findings

    def _begin(self, volume, options: Options) -> None:
        if self._worker.running:
            raise InputError("another detection is running; wait for it or cancel it")
        self._volume, self._options, self._pending = volume, options, None
        self._began = time.monotonic()

    def _require_kept(self, volume) -> _Kept:
        if self.findings_of(volume) is None:
            name = volume.GetName() if volume is not None else "no volume"
            raise InputError(f"{name}: what the networks said is not in memory; run Detect first")
        return self._kept[volume.GetID()]

    def _outcome(self, answer: Answer) -> Outcome:
        content = answer.content
        if answer.kind == "progress":
            fraction = content["fraction"]
            return Outcome("progress", content["text"], fraction, self._seconds_left(fraction))
        if answer.kind == "findings":
            try:
                return self._written(content)
            except MicrocalcError as error:
                return Outcome("failed", str(error))
        if answer.kind == "cancelled":
            return Outcome("cancelled", "cancelled; the scene is as it was")
        return Outcome("failed", content["message"])

    def _written(self, content: dict) -> Outcome:
        volume = self._volume
        if self._pending:
            scored = Scored(*self._pending, content["scores"])
        else:
            scored = self._require_kept(volume).scored
        findings = messages.unpack_findings(content["findings"], scored.scores, scored.block)
        reviewed = reviews_of(find_results(self._scene, volume))
        results = write_results(self._scene, volume, findings, self._options.with_probability)
        carry_over(reviewed, results)
        self._kept[volume.GetID()] = _Kept(volume, scored, findings)
        return Outcome("done", _summary(findings), 1.0, 0.0, results, findings)

    def _seconds_left(self, fraction: float) -> float | None:
        elapsed = time.monotonic() - self._began
        if elapsed < _FIRST_ESTIMATE_SECONDS or fraction <= 0:
            return None
        return elapsed / fraction - elapsed


def _summary(findings: Findings) -> str:
    mcs, clusters = len(findings.calcifications), len(findings.clusters)
    isolated = sum(mc.isolated for mc in findings.calcifications)
    coarse = sum(mc.coarse for mc in findings.calcifications)
    word = "cluster" if clusters == 1 else "clusters"
    parts = [f"{mcs} MCs", f"{clusters} {word}", f"{isolated} MCs isolated"]
    parts += [f"{coarse} coarse"] if coarse else []
    parts += [f"{len(findings.vascular)} vascular"] if findings.vascular else []
    return ", ".join(parts)
