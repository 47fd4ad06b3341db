"""Training one network on minibatches of patches, as the method states.

Adam on categorical cross-entropy, minibatches of 256, the rate halved when the loss on
held-back patches stops falling, and an early stop that keeps the best weights (Valvano et
al. 2019). Rates and patience are not published: those here are ours.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..model import load_model
from ..networks import Architecture, build, compiles
from ..progress import Progress
from .checkpoints import SAMPLES, Checkpoint, State
from .events import EventLog
from .minibatches import MINED_SHARE, Ahead, Minibatches, Plan
from .samples.access import Samples
from .scoring import check

LOGS = "logs"
ALL_STEPS = "all steps were done"


@dataclass(frozen=True)
class Course:
    """How long and how fast to learn; every number is part of the model's manifest.

    steps: minibatches at most. check_every: minibatches between looks at the validation
    patches. halve_after, stop_after: checks without a better loss until the rate is halved,
    and until training ends. smallest_rate: it also ends below that.
    held: minibatches of validation patches. checkpoint_every: minibatches.
    mined: share of the positives, and of the negatives, that mining found, where it found any.
    start: a model's name or folder whose weights to begin with; None begins with He's
    initialisation.
    precision: of the arithmetic, see `networks.PRECISIONS`; what is trained is float32.
    judged, judged_far: validation patches of each class, and of C4, that thresholds and
    figures are made from; of 40,000 C4, two may exceed the segmentator's threshold.
    """

    steps: int = 40_000
    batch_size: int = 256
    rate: float = 1e-3
    smallest_rate: float = 1e-6
    check_every: int = 200
    halve_after: int = 4
    stop_after: int = 12
    held: int = 16
    checkpoint_every: int = 50
    mined: float = MINED_SHARE
    seed: int = 1
    start: str | None = None
    precision: str = "float32"
    judged: int = 4000
    judged_far: int = 40_000


@dataclass(frozen=True)
class Learned:
    """A trained network with its best weights, and the checks on the way."""

    network: object
    state: State


def learn(
    which: str,
    architecture: Architecture,
    samples: Samples,
    course: Course,
    work: tuple[Path, Progress],
) -> Learned:
    """Train "detector" or "segmentator", or go on where an earlier call stopped.

    work: the folder that checkpoint and logs are kept in, and where to report to.
    Stopping in whatever way, SIGKILL included, loses at most the minibatches since the last
    checkpoint; going on gives the weights that a run without the stop would have given. So does
    going on with more steps, where those before were a multiple of `check_every`.
    Raises InputError when the database lacks samples, or the folder holds another training.
    """
    folder, progress = work
    return _Training(which, architecture, samples, course, folder).run(progress)


def _begun(which: str, architecture: Architecture, course: Course):
    network = build(architecture, which, precision=course.precision)
    if course.start is not None:
        model = load_model(course.start)
        if model.architectures[which] != architecture:
            raise InputError(
                f"{course.start}: its {which} has another architecture; give the same N, padding"
            )
        network.set_weights(model.network(which).get_weights())
    return network


class _Training:
    def __init__(self, which, architecture, samples: Samples, course: Course, folder: Path):
        import keras

        keras.utils.set_random_seed(course.seed)
        self.which, self.course, self.folder = which, course, folder
        self.architecture = architecture
        common = {"size": course.batch_size, "seed": course.seed, "mined": course.mined}
        self.batches = Minibatches(samples, Plan(which, architecture, **common))
        held_plan = Plan(which, architecture, "validation", course.batch_size, course.seed, None, 0)
        held = Minibatches(samples, held_plan)
        self.held = [held.batch(number) for number in range(course.held)]
        self.network = _begun(which, architecture, course)
        self.optimizer = keras.optimizers.Adam(course.rate)
        loss = "categorical_crossentropy"
        self.network.compile(self.optimizer, loss, jit_compile=compiles())
        self.optimizer.build(self.network.trainable_variables)
        settings = {
            "network": which,
            "architecture": asdict(architecture),
            "course": asdict(course),
            "augmentation": asdict(self.batches.plan.augmentation),
            "backend": keras.backend.backend(),
            SAMPLES: samples.digest(("train", "validation")),
        }
        self.checkpoint = Checkpoint(folder, settings)
        restored = self.checkpoint.restore(self.network, self.optimizer)
        self.state, self.best = restored or (State(), self.network.get_weights())
        if self.state.finished == ALL_STEPS and self.state.step < course.steps:
            self.state.finished = ""

    def run(self, progress: Progress) -> Learned:
        state = self.state
        if not state.finished:
            self.log = EventLog(self.folder / LOGS, state.step)
            try:
                self._learn(progress)
            finally:
                self.log.close()
        network = build(self.architecture, self.which)  # float32, in whatever precision it learnt
        network.set_weights(self.best)
        return Learned(network, state)

    def _learn(self, progress: Progress) -> None:
        state, course = self.state, self.course
        with Ahead(self.batches, state.step) as ahead:
            while not state.finished:
                batch = ahead.take()
                self.network.reset_metrics()  # else Keras reports the mean over all steps so far
                loss = float(self.network.train_on_batch(batch.patches, batch.targets))
                state.step += 1
                state.running = [state.running[0] + loss, state.running[1] + 1]
                if not np.isfinite(loss):
                    raise InputError(
                        f"{self.folder}: the loss is no number at step {state.step}; train with a "
                        "lower rate, in another --work folder"
                    )
                if state.step % course.check_every == 0 or state.step >= course.steps:
                    self._check()
                progress.report(state.step / course.steps, self._text())
                if state.step % course.checkpoint_every == 0 or state.finished:
                    self.checkpoint.save(self.network, self.optimizer, self.best, state)

    def _check(self) -> None:
        state, course = self.state, self.course
        figures = check(self.network, self.held)
        rate = float(self.optimizer.learning_rate)
        entry = {
            "step": state.step,
            "training loss": state.running[0] / max(state.running[1], 1),
            **{f"validation {name}": value for name, value in figures.items()},
            "rate": rate,
        }
        state.history.append(entry)
        state.running = [0.0, 0]
        self.log.write(state.step, {k: v for k, v in entry.items() if k != "step"})
        state.waited += 1
        state.halved += 1
        if figures["loss"] < state.best_loss:
            state.best_loss, state.best_step = figures["loss"], state.step
            state.waited = state.halved = 0
            self.best = self.network.get_weights()
        if state.halved >= course.halve_after:
            state.halved = 0
            self.optimizer.learning_rate = rate / 2
            if rate / 2 < course.smallest_rate:
                state.finished = "the learning rate fell below its smallest"
        if state.waited >= course.stop_after:
            state.finished = f"no better loss in {course.stop_after} checks"
        if state.step >= course.steps:
            state.finished = ALL_STEPS

    def _text(self) -> str:
        if not self.state.history:
            return f"{self.which}: step {self.state.step}"
        last = self.state.history[-1]
        return (
            f"{self.which}: step {self.state.step}, validation loss {last['validation loss']:.4f}, "
            f"accuracy {last['validation accuracy']:.4f}, best at {self.state.best_step}"
        )
