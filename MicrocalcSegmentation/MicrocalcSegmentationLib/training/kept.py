"""Finished work in a work folder, which only what it was made for goes on from."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..model import read_weights, write_weights
from ..networks import Architecture
from ..simulation.version import SIMULATION_VERSION
from .tissue import RealTissue

if TYPE_CHECKING:
    import keras

_CHECKS, _MADE_OF = "checks", "made of"


@dataclass(frozen=True)
class KeptNetworks:
    """Networks that earlier calls have finished.

    made_of: what decides all of them, besides what their names say; for JSON.
    """

    folder: Path
    made_of: dict

    def read(
        self, name: str, steps: int, build: Callable[[], "keras.Model"]
    ) -> tuple["keras.Model", list] | None:
        """A network of that name and its checks; None where there is none.

        Raises InputError when it was made of something else, or cannot be read.
        """
        path = self.folder / f"{name}.npz"
        if not path.exists():
            return None
        beside = path.with_suffix(".json")
        said = _read(beside)
        if isinstance(said, dict):  # earlier versions wrote the checks alone
            require_same(beside, said.get(_MADE_OF, {}), self._of(steps))
            said = said.get(_CHECKS, [])
        network = build()
        read_weights(network, path)
        return network, said

    def write(self, name: str, steps: int, network: "keras.Model", checks: list) -> None:
        """Keep a finished network; its weights come last, for they say that it is."""
        path = self.folder / f"{name}.npz"
        said = {_MADE_OF: self._of(steps), _CHECKS: checks}
        path.with_suffix(".json").write_text(json.dumps(said), encoding="utf-8")
        write_weights(network, path)

    def _of(self, steps: int) -> dict:
        return json.loads(json.dumps(self.made_of | {"steps": steps}))


def tissue_of(real: RealTissue) -> dict:
    """What sheets are made of, besides their seeds: for JSON, and for people to read."""
    names = "\n".join(path.name for path in real.film)
    digest = hashlib.sha256(names.encode()).hexdigest()[:8]
    return {
        "simulation": SIMULATION_VERSION,
        "film tiles": f"{len(real.film)} ({digest})" if real.film else "none",
        "digital mammograms": ", ".join(path.name for path in real.digital) or "none",
    }


def shape_of(architecture: Architecture) -> dict:
    """What decides a network's weights, of its shape."""
    return {name.replace("_", " "): value for name, value in asdict(architecture).items()}


def stamp(path: Path, made_of: dict) -> None:
    """Say in a file what a folder's contents are made of.

    Raises InputError when it says something else already.
    """
    if path.exists():
        require_same(path, _read(path), made_of)
    else:
        path.write_text(json.dumps(made_of), encoding="utf-8")


def require_same(path: Path, made_of: dict, wanted: dict) -> None:
    """Raise InputError, naming the first of what differs."""
    for name, value in wanted.items():
        if made_of.get(name) != value:
            raise InputError(
                f"{path.parent}: holds what was made with {name} {made_of.get(name)}, not {value}; "
                f"give another --work, or delete {path.name} and what it is about"
            )


def _read(path: Path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give another --work") from error
