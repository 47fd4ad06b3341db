"""The whole state of a training on disk, so that it goes on exactly where it stopped."""

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError

FILE = "checkpoint.npz"
SAMPLES = "samples"  # the setting that holds the digest of what is learnt from


@dataclass
class State:
    """How far a training is.

    step: minibatches learnt from. best_loss, best_step: of the best check so far.
    waited: checks since then; halved: checks since then or since the rate was last halved.
    finished: why it ended, or "". history: one entry per check. running: mean training loss
    since the last check, and of how many minibatches.
    """

    step: int = 0
    best_loss: float = float("inf")
    best_step: int = 0
    waited: int = 0
    halved: int = 0
    finished: str = ""
    running: list[float] = field(default_factory=lambda: [0.0, 0])
    history: list[dict] = field(default_factory=list)


class Checkpoint:
    """A folder's checkpoint of a network, its optimizer and a `State`.

    settings: what the training depends on; a checkpoint of other settings is refused, but for
    the most minibatches ("course", "steps"), on which no minibatch before the last depends.
    """

    def __init__(self, folder: Path, settings: dict):
        self._path = folder / FILE
        self._settings = json.loads(json.dumps(settings))

    def save(self, network, optimizer, best: list[np.ndarray], state: State) -> None:
        """Write everything; an interruption leaves the checkpoint before."""
        from keras.ops import convert_to_numpy

        arrays = {f"n{i}": convert_to_numpy(v.value) for i, v in enumerate(network.variables)}
        arrays |= {f"o{i}": convert_to_numpy(v.value) for i, v in enumerate(optimizer.variables)}
        arrays |= {f"b{i}": weights for i, weights in enumerate(best)}
        said = json.dumps({"settings": self._settings, "state": asdict(state)})
        arrays["said"] = np.frombuffer(said.encode(), np.uint8)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".part")
        with beside.open("wb") as file:
            np.savez(file, **arrays)
        beside.replace(self._path)

    def restore(self, network, optimizer) -> tuple[State, list[np.ndarray]] | None:
        """The state and the best weights, the network and optimizer set; None when there is none.

        Raises InputError when the checkpoint is damaged, or of other settings or samples.
        """
        if not self._path.is_file():
            return None
        try:
            with np.load(self._path, allow_pickle=False) as stored:
                arrays = dict(stored)
            said = json.loads(arrays["said"].tobytes())
            state = State(**said["state"])
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{self._path}: damaged ({error}); delete it to begin again"
            ) from error
        self._check_settings(said["settings"])
        for part, variables in (("n", network.variables), ("o", optimizer.variables)):
            for number, variable in enumerate(variables):
                variable.assign(arrays[f"{part}{number}"])
        best = [arrays[f"b{number}"] for number in range(len(network.get_weights()))]
        return state, best

    def _check_settings(self, settings: dict) -> None:
        wanted, stored = (_without_steps(one) for one in (self._settings, settings))
        changed = [k for k, v in wanted.items() if stored.get(k) != v]
        if not changed:
            return
        first = changed[0]
        if SAMPLES not in stored:
            why = "does not say what it learnt from, as an earlier version wrote it; begin anew in"
        elif first == SAMPLES:
            why = "the database's images, labels or mined samples have changed since; begin anew in"
        else:
            why = (
                f"was begun with {first} {stored.get(first)}, not {wanted[first]}; "
                "give what it was begun with, or"
            )
        raise InputError(f"{self._path}: {why} another --work")


def _without_steps(settings: dict) -> dict:
    course = {k: v for k, v in settings.get("course", {}).items() if k != "steps"}
    return {**settings, "course": course}
