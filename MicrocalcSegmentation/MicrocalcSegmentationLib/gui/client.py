"""The window's end of the worker process: start, ask, poll, cancel, survive its death.

Nothing here waits: the window calls `poll` from a timer. A thread reads the process's
answers into a queue and touches nothing else.
"""

import json
import logging
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from ..findings import Scores
from ..mammogram import Mammogram
from ..settings import Settings
from . import messages
from .blocks import Block

CANCEL_SECONDS = 0.7  # then the process is ended: networks are slow to listen while they load
_MODULE = f"{__package__}.worker"
_ROOT = Path(__file__).resolve().parents[2]
_LAST_WORDS = 300  # characters of the process's own messages that an error repeats
_STATES = ("ready", "progress")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """kind: "progress", "done", "cancelled", "refused" or "failed".

    content: fraction and text; or scores and findings, or files; or the message for the user.
    """

    kind: str
    job: int
    content: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Scored:
    """A mammogram whose scores are in a block, and what is needed to use them again."""

    mammogram: Mammogram
    block: Block
    packed: dict

    @property
    def scores(self) -> Scores:
        """On the block's own arrays."""
        return messages.unpack_scores(self.packed, self.mammogram, self.block)


class Worker:
    """One process, started when first needed and again after it died; one job at a time.

    command: the program to run, by default this library's worker in this Python.
    """

    def __init__(self, command: list[str] | None = None, now=time.monotonic):
        self._command = command or [python_program(), "-m", _MODULE]
        self._now = now
        self._process: subprocess.Popen | None = None
        self._answers: queue.Queue = queue.Queue()
        self._job = 0
        self._running = False
        self._cancel_until: float | None = None
        self._block: Block | None = None
        self._errors: BinaryIO | None = None

    @property
    def running(self) -> bool:
        """Whether a job is under way."""
        return self._running

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        return self._process.pid if self._process else None

    def score(
        self, mammogram: Mammogram, block: Block, settings: Settings, model: str | None = None
    ) -> int:
        """Start running the networks; returns the job's number."""
        request = {"settings": asdict(settings), "model": model}
        return self._ask("score", mammogram, block, request)

    def describe(self, scored: Scored, threshold: float) -> int:
        """Start making findings at another threshold."""
        request = {"scores": scored.packed, "threshold": threshold}
        return self._ask("describe", scored.mammogram, scored.block, request)

    def describe_mask(self, scored: Scored) -> int:
        """Start making findings of the mask that the caller has put into the block as drawn."""
        return self._ask("mask", scored.mammogram, scored.block, {"scores": scored.packed})

    def write(self, what: str, scored: Scored, request: dict) -> int:
        """Start writing files: what is "export" or "train".

        request: findings (packed), folder, stem, and reviews as (cluster, state, note).
        """
        packed = {"scores": scored.packed, **request}
        return self._ask(what, scored.mammogram, scored.block, packed)

    def cancel(self) -> None:
        """Ask the job to stop. Its `poll` says "cancelled" within a second, come what may."""
        if self._running and self._cancel_until is None:
            self._cancel_until = self._now() + CANCEL_SECONDS
            self._send({"do": "cancel", "job": self._job})

    def poll(self) -> list[Answer]:
        """What has been answered since; never waits longer than a few milliseconds."""
        answers = []
        while (answer := self._next()) is not None:
            if answer.kind == "progress":
                answers = [kept for kept in answers if kept.kind != "progress"]
            answers.append(answer)
        if self._cancel_until is not None:
            late = self._now() >= self._cancel_until
            if self._running and late:
                self._end_process()
                answers.append(self._finished(Answer("cancelled", self._job)))
            # What a job says after it was told to stop is of no interest.
            answers = [answer for answer in answers if answer.kind in ("cancelled", "failed")]
        if not self._running:
            self._cancel_until = None
        return answers

    def close(self) -> None:
        """End the process."""
        self._end_process()
        self._running = False

    def _ask(self, what: str, mammogram: Mammogram, block: Block, request: dict) -> int:
        if self._running:
            raise RuntimeError("the worker has a job already")
        if self._process is None or self._process.poll() is not None:
            self._start()
        self._job += 1
        self._running, self._cancel_until = True, None
        self._block = block  # kept until the next job: the process has still to attach to it
        packed = messages.pack_mammogram(mammogram)
        place = {"block": block.place, "shape": block.shape, "mammogram": packed}
        self._send({"do": what, "job": self._job, **place, **request})
        return self._job

    def _start(self) -> None:
        self._end_process()
        # A file rather than a pipe: nobody has to read it, and it outlives the process.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, kept open with the process
        path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._answers = queue.Queue()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": path},
            encoding="utf-8",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        threading.Thread(
            target=_read, args=(self._process, self._answers), name="microcalc", daemon=True
        ).start()

    def _send(self, request: dict) -> None:
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError as error:  # it has died; `poll` will learn and say so
            _log.info("worker: %s", error)

    def _next(self) -> Answer | None:
        """The job's next answer; None when nothing is waiting."""
        while True:
            try:
                # Waiting a moment lets the reading thread run: Slicer's event loop itself
                # gives other Python threads no time.
                said = self._answers.get(timeout=0.002)
            except queue.Empty:
                return None
            if said is None:
                answer = self._died()
                if answer:
                    return answer
            elif said.get("job") == self._job and self._running:
                kind = said.pop("event")
                answer = Answer(kind, self._job, said)
                return answer if kind in _STATES else self._finished(answer)

    def _finished(self, answer: Answer) -> Answer:
        self._running = False
        return answer

    def _died(self) -> Answer | None:
        code = self._process.wait() if self._process else 0
        words = self._last_words()
        self._end_process()
        if not self._running:
            return None
        if self._cancel_until is not None:
            return self._finished(Answer("cancelled", self._job))
        _log.error("the worker ended with %s: %s", code, words)
        message = f"the working process ended by itself ({_reason(code)}); {_remedy(code)}"
        return self._finished(Answer("failed", self._job, {"message": message, "log": words}))

    def _last_words(self) -> str:
        try:
            self._errors.seek(0)
            return self._errors.read().decode("utf-8", "replace")[-_LAST_WORDS:].strip()
        except (OSError, ValueError, AttributeError):
            return ""

    def _end_process(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()  # after a kill at once; else a zombie would stay
        for stream in (self._process.stdin, self._errors):
            try:
                stream.close()
            except OSError:  # a last request could not be delivered
                _log.debug("the worker's pipe was broken already")
        self._process = None


def python_program() -> str:
    """The Python to run the worker with: in Slicer its own launcher, which sets up paths."""
    return shutil.which("PythonSlicer") or sys.executable


def _read(process: subprocess.Popen, answers: queue.Queue) -> None:
    with process.stdout as lines:
        for line in lines:
            try:
                answers.put(json.loads(line))
            except ValueError:
                _log.info("worker: %s", line.rstrip())
    answers.put(None)


def _reason(code: int) -> str:
    if code < 0:
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}"


def _remedy(code: int) -> str:
    if code in (-getattr(signal, "SIGKILL", 9), 137):
        return "most often for lack of memory: close other programs and run it again"
    return "run it again, and see Slicer's log if it happens again"
