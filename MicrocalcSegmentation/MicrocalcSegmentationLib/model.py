"""A trained pair of networks on disk: two weight files and a manifest, nothing executable."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import ModelError
from .networks import Architecture, build

if TYPE_CHECKING:
    import keras

MANIFEST_VERSION = 1
DEFAULT_MODEL = "first"
NETWORKS = ("detector", "segmentator")


@dataclass(frozen=True)
class Model:
    """A detector and a segmentator, with what is known about them.

    threshold, detector_threshold: probabilities from which a pixel is MC and a window a
    candidate ROI, chosen on the validation split.
    figures, training: what the pair reached, and how it was made; for people to read.
    """

    name: str
    version: str
    folder: Path
    architectures: dict[str, Architecture]
    threshold: float
    detector_threshold: float
    figures: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)
    digests: dict = field(default_factory=dict)

    @cached_property
    def detector(self) -> "keras.Model":
        """The detector with its weights, one patch at a time."""
        return self.network("detector")

    @cached_property
    def segmentator(self) -> "keras.Model":
        """The segmentator with its weights, one patch at a time."""
        return self.network("segmentator")

    @cached_property
    def sliding_segmentator(self) -> "keras.Model":
        """The same segmentator over images of any size; "valid" padding only."""
        return self.network("segmentator", sliding=True)

    def network(self, which: str, sliding: bool = False) -> "keras.Model":
        """Build "detector" or "segmentator" and load its weights.

        Raises ModelError when the file is missing, changed or does not fit.
        """
        path = self.folder / f"{which}.npz"
        if not path.is_file():
            raise ModelError(f"{path}: missing; install the model again")
        if hashlib.sha256(path.read_bytes()).hexdigest() != self.digests.get(which):
            raise ModelError(f"{path}: not the file its manifest names; install the model again")
        network = build(self.architectures[which], which, sliding)
        read_weights(network, path)
        return network


def load_model(name: str | Path | None = None) -> Model:
    """A shipped pair by name, or one of your own by its folder; the default one for None.

    Raises ModelError when there is none, or its manifest cannot be used.
    """
    folder = _find(name or DEFAULT_MODEL)
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["manifest_version"] != MANIFEST_VERSION:
            raise ModelError(
                f"{path}: version {manifest['manifest_version']} is not known to this program; "
                "update it"
            )
        networks = manifest["networks"]
        return Model(
            name=manifest["name"],
            version=manifest["version"],
            folder=folder,
            architectures={which: _architecture(networks[which]) for which in NETWORKS},
            threshold=float(manifest["threshold"]),
            detector_threshold=float(manifest["detector_threshold"]),
            figures=manifest["figures"],
            training=manifest["training"],
            digests={which: networks[which]["sha256"] for which in NETWORKS},
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: not a usable manifest ({error}); install the model again") from (
            error
        )


def shipped_models() -> list[str]:
    """Names that `load_model` finds without a folder, the default one first."""
    folders = sorted(path.parent.name for path in _shipped().glob("*/manifest.json"))
    return sorted(folders, key=lambda name: name != DEFAULT_MODEL)


def save_model(model: Model, networks: dict[str, "keras.Model"]) -> None:
    """Write weights and manifest into `model.folder`; the manifest last, so it never lies."""
    model.folder.mkdir(parents=True, exist_ok=True)
    digests = {}
    for which in NETWORKS:
        path = model.folder / f"{which}.npz"
        write_weights(networks[which], path)
        digests[which] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest = {
        "manifest_version": MANIFEST_VERSION,
        "name": model.name,
        "version": model.version,
        "threshold": model.threshold,
        "detector_threshold": model.detector_threshold,
        "networks": {
            which: {**asdict(model.architectures[which]), "sha256": digests[which]}
            for which in NETWORKS
        },
        "training": model.training,
        "figures": model.figures,
    }
    beside = model.folder / "manifest.json.part"
    beside.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    beside.replace(model.folder / "manifest.json")


def write_weights(network: "keras.Model", path: Path) -> None:
    """Store every weight as a plain array, named by layer and role."""
    arrays = {_key(weight): weight.numpy() for weight in network.weights}
    beside = path.with_suffix(".part")
    with beside.open("wb") as file:
        np.savez_compressed(file, **arrays)
    beside.replace(path)


def read_weights(network: "keras.Model", path: Path) -> None:
    """Fill a network from `write_weights`' file; plain arrays only, nothing is unpickled."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            for weight in network.weights:
                weight.assign(stored[_key(weight)])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ModelError(f"{path}: does not fit the network ({error})") from error


def _key(weight) -> str:
    return "/".join(weight.path.split("/")[-2:])


def _architecture(entry: dict) -> Architecture:
    return Architecture(
        patch_side=int(entry["patch_side"]),
        padding=entry["padding"],
        channels=tuple(int(count) for count in entry["channels"]),
        features=int(entry["features"]),
        dropout=float(entry["dropout"]),
    )


def _shipped() -> Path:
    return Path(str(resources.files(__package__))) / "models"


def _find(name: str | Path) -> Path:
    for folder in (Path(name), _shipped() / str(name)):
        if (folder / "manifest.json").is_file():
            return folder
    raise ModelError(
        f"{name}: no such model; give a folder that holds a manifest.json, or one of: "
        + ", ".join(shipped_models())
    )
