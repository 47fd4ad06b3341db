"""The process behind the window: loads a model once, then works on one job after another.

`python -m MicrocalcSegmentationLib.gui.worker` reads requests from its standard input and
writes answers to its standard output (see `messages`); it ends with its input.
"""

import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TextIO

import numpy as np

from ..errors import Cancelled, MicrocalcError
from ..export import write_findings
from ..export.review import write_review
from ..export.staging import write_all
from ..export.training_case import write_training_case
from ..findings import Findings, Scores
from ..inference.engines import open_network
from ..mammogram import Mammogram
from ..pipeline import describe, describe_mask, score
from ..progress import Progress
from ..settings import Settings
from . import messages
from .blocks import Block

SECONDS_BETWEEN_REPORTS = 0.1

ScoreOne = Callable[[Mammogram, str | None, Settings, Progress], tuple[Scores, str]]

_log = logging.getLogger(__name__)


class Networks:
    """Scores mammograms with a model that stays loaded between jobs."""

    def __init__(self):
        self._loaded = (None, None)

    def __call__(
        self, mammogram: Mammogram, model: str | None, settings: Settings, progress: Progress
    ) -> tuple[Scores, str]:
        """The scores, and what the networks ran on and why."""
        from ..model import load_model

        if self._loaded[1] is None or self._loaded[0] != model:
            progress.report(0.0, "loading the model")
            self._loaded = (model, load_model(model))
        pair = self._loaded[1]
        scores = score(mammogram, pair, settings, progress)
        return scores, open_network(pair, "segmentator", settings.engine, settings.device).runs_on


def serve(score_one: ScoreOne, lines: TextIO, answers: TextIO) -> None:
    """Work until there are no more requests."""
    jobs: queue.Queue = queue.Queue()
    cancelled: set[int] = set()
    say = _Speaker(answers)
    threading.Thread(target=_listen, args=(lines, jobs, cancelled), daemon=True).start()
    say(event="ready", pid=os.getpid())
    while (request := jobs.get()) is not None:
        job = request["job"]
        progress = _Reporter(say, job, cancelled)
        try:
            say(event="done", job=job, **_work(request, score_one, progress))
        except Cancelled:
            say(event="cancelled", job=job)
        except MicrocalcError as error:
            say(event="refused", job=job, message=str(error))
        except Exception as error:  # the process stays: the next image may well be fine
            _log.exception("job %d", job)
            text = str(error).strip().splitlines()[:1]
            reason = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
            say(event="failed", job=job, message=reason)


def _work(request: dict, score_one: ScoreOne, progress: Progress) -> dict:
    block = Block(request["shape"], request["block"])
    mammogram = messages.unpack_mammogram(request["mammogram"], block)
    what = request["do"]
    answer = {}
    if what == "score":
        settings = Settings(**request["settings"])
        made, answer["runs_on"] = score_one(mammogram, request["model"], settings, progress)
        progress.report(0.97, "measuring")
        answer["scores"] = messages.store_scores(made, block)
        findings = describe(made)
    else:
        answer["scores"] = request["scores"]
        stored = messages.unpack_scores(request["scores"], mammogram, block)
        if what in _WRITING:
            findings, _ = messages.unpack_findings(request["findings"], stored)
            progress.report(0.1, "writing files")
            return {"files": [str(path) for path in _WRITING[what](findings, request)]}
        if what == "mask":
            findings = describe_mask(stored, block["drawn"])
        else:
            findings = describe(stored, request["threshold"])
    progress.report(1.0, "done")
    return {**answer, "findings": messages.pack_findings(findings)}


def _export(findings: Findings, request: dict) -> list[Path]:
    """The files of `microcalc segment` and `review.csv`."""
    folder = Path(request["folder"]) / request["stem"]
    files = write_findings(findings, folder, request["stem"])
    reviews = [tuple(review) for review in request["reviews"]]
    review = write_all(folder, {"review.csv": partial(write_review, reviews)})
    return [*files.values(), *review.values()]


def _add_to_training_set(findings: Findings, request: dict) -> list[Path]:
    """The image, and the MCs of clusters that the reader has not rejected."""
    rejected = {cluster for cluster, state, _ in request["reviews"] if state == "rejected"}
    numbers = [mc.number for mc in findings.calcifications if mc.cluster in rejected]
    mask = findings.mask & ~np.isin(findings.labels, numbers)
    folder = Path(request["folder"])
    return write_training_case(findings.mammogram, mask, folder, request["stem"])


_WRITING = {"export": _export, "train": _add_to_training_set}


def _listen(lines: TextIO, jobs: queue.Queue, cancelled: set[int]) -> None:
    for line in lines:
        request = json.loads(line)
        if request["do"] == "cancel":
            cancelled.add(request["job"])
        else:
            jobs.put(request)
    # The window is gone; whatever is being computed, nobody waits for it.
    os._exit(0)


class _Speaker:
    def __init__(self, answers: TextIO):
        self._answers = answers

    def __call__(self, **answer) -> None:
        self._answers.write(json.dumps(answer) + "\n")
        self._answers.flush()


class _Reporter:
    """Progress as answers, not more than a few a second; raises Cancelled when told to."""

    def __init__(self, say: _Speaker, job: int, cancelled: set[int]):
        self._say = say
        self._job = job
        self._cancelled = cancelled
        self._last = (None, -float("inf"))

    def report(self, fraction: float, text: str) -> None:
        if self._job in self._cancelled:
            raise Cancelled
        now = time.monotonic()
        if text == self._last[0] and now - self._last[1] < SECONDS_BETWEEN_REPORTS:
            return
        self._last = (text, now)
        self._say(event="progress", job=self._job, fraction=float(fraction), text=text)


def main(score_one: ScoreOne | None = None) -> None:
    """Serve on standard input and output, which no library may write into."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(score_one or Networks(), sys.stdin, answers)


if __name__ == "__main__":
    main()
