"""Trained networks on disk: weights, the same as ONNX graphs, and a manifest.

Nothing in the folder is executable: weights are plain arrays, and ONNX has no code.
"""

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import ModelError
from .neighbours import Neighbourhood
from .networks import Architecture, build, build_dense, fold
from .onnx_form import onnx_bytes
from .outlines import Outline

if TYPE_CHECKING:
    import keras

MANIFEST_VERSION = 1
DEFAULT_MODEL = "eleventh"
NETWORKS = ("detector", "segmentator")
ARTERIES = "arteries"  # a network by itself, which serves pairs without their own, and its folder
CARD = "card.md"  # in a model's folder: what it learnt from and what was measured
FORMS = ("plain", "shared")  # of an ONNX graph: see `onnx_form`


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold gave on the images that thresholds were chosen on.

    mcs_found: share of all MCs. false_mcs, false_clusters: per 100 cm2 of breast, about
    the area of one; a false cluster holds no MC and nothing doubtful.
    """

    threshold: float
    mcs_found: float
    false_mcs: float
    false_clusters: float


@dataclass(frozen=True)
class Model:
    """A detector and a segmentator, with what is known about them; or an `ARTERIES` network.

    threshold, detector_threshold: probabilities from which a pixel is MC and a window a
    candidate ROI, chosen on the validation split. Of arteries, the probability from which one
    runs through a place, and None.
    architectures: of each of its networks, by name.
    figures, training: what the pair reached, and how it was made; for people to read.
    digests: SHA-256 of each file by its name.
    neighbourhood: how much a candidate's neighbours count; None where they do not.
    outline: where a candidate ends, by the image as well; None goes by the probability alone.
    operating_points: what other thresholds give, the lowest first; empty where not measured.
    opened: what engines have opened of it, so that many images open it once.
    """

    name: str
    version: str
    folder: Path
    architectures: dict[str, Architecture]
    threshold: float
    detector_threshold: float | None
    figures: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)
    digests: dict = field(default_factory=dict)
    neighbourhood: Neighbourhood | None = None
    outline: Outline | None = None
    operating_points: tuple[OperatingPoint, ...] = ()
    opened: dict = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def detector(self) -> "keras.Model":
        """The detector with its weights, one patch at a time."""
        return self.network("detector")

    @cached_property
    def segmentator(self) -> "keras.Model":
        """The segmentator with its weights, one patch at a time."""
        return self.network("segmentator")

    def network(self, which: str, sliding: bool = False) -> "keras.Model":
        """Build one of its networks and load the weights.

        Raises ModelError when the file is missing, changed or does not fit.
        """
        self.file_bytes(f"{which}.npz")
        network = build(self.architectures[which], which, sliding)
        read_weights(network, self.folder / f"{which}.npz")
        return network

    def dense_network(self, which: str) -> "keras.Model":
        """Its logit at every pixel (`networks.build_dense`); raises as `network` does."""
        return build_dense(self.architectures[which], fold(self.weights(which)))

    def weights(self, which: str) -> dict[str, np.ndarray]:
        """Weights by name, as in `Architecture.weight_shapes`; raises as `network` does."""
        path = self.folder / f"{which}.npz"
        return read_arrays(self.file_bytes(path.name), path, self.architectures[which])

    @cached_property
    def arteries(self) -> "Model":
        """What knows arteries: the pair's own, in its folder `arteries`, or the shipped network.

        Raises ModelError as `load_model` does.
        """
        own = self.folder / ARTERIES
        return _load(own, (ARTERIES,)) if (own / "manifest.json").is_file() else load_arteries()

    def operating_point(self, threshold: float) -> OperatingPoint | None:
        """The one measured nearest to a threshold; None where none was measured."""
        near = sorted(self.operating_points, key=lambda one: abs(one.threshold - threshold))
        return near[0] if near else None

    @property
    def has_onnx(self) -> bool:
        """Whether the pair was saved with its ONNX graphs."""
        return all(onnx_name(which, "plain") in self.digests for which in self.architectures)

    def file_bytes(self, name: str) -> bytes:
        """A file of the model's folder, if it is the one that the manifest names."""
        path = self.folder / name
        if not path.is_file():
            raise ModelError(f"{path}: missing; install the model again")
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.digests.get(name):
            raise ModelError(f"{path}: not the file its manifest names; install the model again")
        return content


def load_model(name: str | Path | None = None) -> Model:
    """A shipped pair by name, or one of your own by its folder; the default one for None.

    Raises ModelError when there is none, or its manifest cannot be used.
    """
    return _load(_find(name or DEFAULT_MODEL), NETWORKS)


@cache
def load_arteries() -> Model:
    """The network that knows calcified arteries; raises as `load_model` does."""
    return _load(_shipped() / ARTERIES, (ARTERIES,))


def _load(folder: Path, which_networks: tuple[str, ...]) -> Model:
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["manifest_version"] != MANIFEST_VERSION:
            raise ModelError(
                f"{path}: version {manifest['manifest_version']} is not known to this program; "
                "update it"
            )
        networks = manifest["networks"]
        if missing := [which for which in which_networks if which not in networks]:
            raise ModelError(
                f"{path}: holds no {' and no '.join(missing)}; give another model, one of: "
                + ", ".join(shipped_models())
            )
        return Model(
            name=manifest["name"],
            version=manifest["version"],
            folder=folder,
            architectures={which: _architecture(networks[which]) for which in which_networks},
            threshold=float(manifest["threshold"]),
            detector_threshold=(
                None if which_networks == (ARTERIES,) else float(manifest["detector_threshold"])
            ),
            neighbourhood=_neighbourhood(manifest.get("neighbourhood")),
            outline=_outline(manifest.get("outline")),
            operating_points=tuple(
                OperatingPoint(**point) for point in manifest.get("operating_points", ())
            ),
            figures=manifest["figures"],
            training=manifest["training"],
            digests=_digests(networks),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: not a usable manifest ({error}); install the model again") from (
            error
        )


def shipped_models() -> list[str]:
    """Names that `load_model` finds without a folder, the default one first."""
    folders = {path.parent.name for path in _shipped().glob("*/manifest.json")} - {ARTERIES}
    return sorted(folders, key=lambda name: (name != DEFAULT_MODEL, name))


def save_model(model: Model, networks: dict[str, "keras.Model"]) -> Model:
    """Write weights, graphs and manifest into `model.folder`; returns what was saved."""
    model.folder.mkdir(parents=True, exist_ok=True)
    for which in model.architectures:
        write_weights(networks[which], model.folder / f"{which}.npz")
    return write_graphs(model)


def write_graphs(model: Model) -> Model:
    """Write the ONNX graphs of the weights in `model.folder`, and the manifest.

    The manifest comes last, so that it never names what is not there. Raises ModelError
    where onnx is not installed or the weights do not fit.
    """
    digests = {}
    for which, architecture in model.architectures.items():
        path = model.folder / f"{which}.npz"
        content = path.read_bytes()
        digests[path.name] = hashlib.sha256(content).hexdigest()
        weights = read_arrays(content, path, architecture)
        shared = architecture.shared_step(which)
        steps = {"plain": None} | ({shared_form(architecture, shared): shared} if shared else {})
        for form, step in steps.items():
            graph = onnx_bytes(architecture, weights, step)
            name = onnx_name(which, form)
            _write_whole(model.folder / name, graph)
            digests[name] = hashlib.sha256(graph).hexdigest()
    saved = replace(model, digests=digests, opened={})
    _write_manifest(saved)
    return saved


def shared_form(architecture: Architecture, step: int) -> str:
    """The form of the graph whose answers are so far apart; a plain one slides by its stride."""
    return "plain" if step == architecture.stride else "shared"


def onnx_name(which: str, form: str) -> str:
    """Name of a graph's file; form: "plain" or "shared"."""
    return f"{which}.onnx" if form == "plain" else f"{which}-{form}.onnx"


def _write_manifest(model: Model) -> None:
    networks = {}
    for which in model.architectures:
        graphs = {form: model.digests.get(onnx_name(which, form)) for form in FORMS}
        networks[which] = {
            **asdict(model.architectures[which]),
            "sha256": model.digests[f"{which}.npz"],
            "onnx_sha256": {form: digest for form, digest in graphs.items() if digest},
        }
    manifest = {
        "manifest_version": MANIFEST_VERSION,
        "name": model.name,
        "version": model.version,
        "threshold": model.threshold,
        "detector_threshold": model.detector_threshold,
        "neighbourhood": model.neighbourhood and asdict(model.neighbourhood),
        "outline": model.outline and asdict(model.outline),
        "operating_points": [asdict(point) for point in model.operating_points],
        "networks": networks,
        "training": model.training,
        "figures": model.figures,
    }
    text = json.dumps(manifest, indent=2) + "\n"
    _write_whole(model.folder / "manifest.json", text.encode("utf-8"))


def _write_whole(path: Path, content: bytes) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(content)
    beside.replace(path)


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


def read_arrays(content: bytes, path: Path, architecture: Architecture) -> dict[str, np.ndarray]:
    """The arrays in `write_weights`' file, each of the architecture's own shape.

    path: for the sentence of the ModelError that is raised where they are not.
    """
    shapes = architecture.weight_shapes
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in shapes}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: does not fit the network ({error})") from error
    for name, shape in shapes.items():
        if arrays[name].shape != shape or arrays[name].dtype != np.float32:
            raise ModelError(f"{path}: does not fit the network ({name} should be {shape})")
    return arrays


def _key(weight) -> str:
    return "/".join(weight.path.split("/")[-2:])


def _digests(networks: dict) -> dict[str, str]:
    digests = {}
    for which, network in networks.items():
        digests[f"{which}.npz"] = network["sha256"]
        for form, digest in network.get("onnx_sha256", {}).items():
            digests[onnx_name(which, form)] = digest
    return digests


def _architecture(entry: dict) -> Architecture:
    return Architecture(
        patch_side=int(entry["patch_side"]),
        padding=entry["padding"],
        channels=tuple(int(count) for count in entry["channels"]),
        features=int(entry["features"]),
        dropout=float(entry["dropout"]),
    )


def _neighbourhood(entry: dict | None) -> Neighbourhood | None:
    # Earlier trainers put a share there, from which an MC was drawn.
    known = {name: float(value) for name, value in (entry or {}).items() if name != "drawn"}
    return Neighbourhood(**known) if known else None


def _outline(entry: dict | None) -> Outline | None:
    return entry and Outline(tuple(tuple(map(float, row)) for row in entry["weights"]))


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
