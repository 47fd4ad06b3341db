"""Finished work in a work folder, which only what it was made for goes on from."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..model import read_weights, write_weights
from ..simulation.version import SIMULATION_VERSION
from .tissue import RealTissue

if TYPE_CHECKING:
    import keras

_CHECKS, _MADE_OF = "checks", "made of"


@dataclass(frozen=True)
class KeptNetworks:
    """Networks that earlier calls have finished.

    decided_by: all that decides them, besides what their names say (`made_of`); for JSON.
    """

    folder: Path
    decided_by: dict

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
            _require_same(beside, said.get(_MADE_OF, {}), self._of(steps))
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
        return json.loads(json.dumps(self.decided_by | {"steps": steps}))


def tissue_of(real: RealTissue) -> dict:
    """What sheets are made of, besides their seeds: for JSON, and for people to read."""
    names = "\n".join(path.name for path in real.film)
    digest = hashlib.sha256(names.encode()).hexdigest()[:8]
    return {
        "simulation": SIMULATION_VERSION,
        "film tiles": f"{len(real.film)} ({digest})" if real.film else "none",
        "digital mammograms": ", ".join(path.name for path in real.digital) or "none",
    }


def made_of(recipe, real: RealTissue) -> dict:
    """What decides networks that learn from sheets, but for their names, steps and start.

    recipe: has sheets, validation_sheets and architecture.
    """
    sizes = {"sheets": recipe.sheets, "validation sheets": recipe.validation_sheets}
    return sizes | tissue_of(real) | asdict(recipe.architecture)


def stamp(path: Path, contents: dict) -> None:
    """Say in a file what its folder's contents are made of.

    Raises InputError when it says something else already.
    """
    if path.exists():
        _require_same(path, _read(path), contents)
    else:
        path.write_text(json.dumps(contents), encoding="utf-8")


def _require_same(path: Path, said: dict, wanted: dict) -> None:
    """Raise InputError, naming the first of what differs."""
    for name, value in wanted.items():
        if said.get(name) != value:
            raise InputError(
                f"{path}: was made with {name} {said.get(name)}, not {value}; "
                "give another --work, or what that one was begun with"
            )


def _read(path: Path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give another --work") from error
