"""Which library runs the networks, on which device, and why."""

import logging
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from ...errors import InputError, ModelError
from ...model import Model
from ..network import Network
from .memory import careful

__all__ = ["Choice", "choose", "open_network"]

_NAMES = {"onnx": "ONNX Runtime", "keras": "Keras"}
ENGINES, DEVICES = ("auto", "onnx", "keras"), ("auto", "cpu", "gpu")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """engine: "onnx" or "keras"; device: "cpu" or "gpu"; reason: for the log."""

    engine: str
    device: str
    reason: str

    @property
    def described(self) -> str:
        """ "Keras on the CPU: asked for keras, cpu"."""
        return f"{_NAMES[self.engine]} on the {self.device.upper()}: {self.reason}"


@dataclass(frozen=True)
class Machine:
    """What there is to choose from.

    onnx, keras: the library is installed. onnx_gpu, keras_gpu: it sees a GPU.
    """

    onnx: bool
    keras: bool
    onnx_gpu: bool
    keras_gpu: bool


def open_network(model: Model, which: str, engine: str, device: str) -> Network:
    """The "detector" or "segmentator" of a pair, opened once, for these settings.

    Raises InputError for what this machine has not, ModelError for a pair that cannot be
    used with the engine.
    """
    key = which, engine, device
    if key not in model.opened:
        choice = choose(engine, device, model.has_onnx)
        _log.info("%s: %s on %s (%s)", which, choice.engine, choice.device, choice.reason)
        try:
            model.opened[key] = _open(model, which, choice)
        except InputError as error:
            if device != "auto" or choice.device == "cpu":
                raise
            _log.warning("%s; running on the CPU", error)
            model.opened[key] = _open(model, which, replace(choice, device="cpu"))
    return model.opened[key]


def choose(engine: str, device: str, has_onnx: bool, machine: Machine | None = None) -> Choice:
    """What to run with. A GPU comes before the CPU, and ONNX Runtime before Keras.

    engine, device: of `Settings`. has_onnx: whether the model comes as ONNX graphs.
    machine: what there is, when it is not to be looked up.
    Raises InputError for what there is not.
    """
    if engine not in ENGINES or device not in DEVICES:
        raise InputError(
            f"engine {engine!r} on device {device!r} is unknown; use one of "
            f"{', '.join(ENGINES)} and of {', '.join(DEVICES)}"
        )
    machine = machine or look_up(engine, device)
    onnx = machine.onnx and has_onnx and engine != "keras"
    keras = machine.keras and engine != "onnx"
    if not onnx and not keras:
        raise _nothing_to_run_with(engine, has_onnx)
    asked = f"asked for {engine}, {device}"
    if device != "cpu" and onnx and machine.onnx_gpu:
        return Choice("onnx", "gpu", f"{asked}; ONNX Runtime sees a GPU")
    if device != "cpu" and keras and machine.keras_gpu:
        return Choice("keras", "gpu", f"{asked}; Keras's backend sees a GPU")
    if device == "gpu":
        raise InputError(
            "no GPU that the installed ONNX Runtime or deep-learning library can use was found; "
            "use --device cpu"
        )
    if onnx:
        return Choice("onnx", "cpu", f"{asked}; ONNX Runtime is the quickest on a CPU")
    why = "ONNX Runtime is not installed" if has_onnx else "the model has no ONNX graphs"
    return Choice("keras", "cpu", asked if engine == "keras" else f"{asked}; {why}")


def look_up(engine: str, device: str) -> Machine:
    """What this machine has. Keras is asked for a GPU only where there may be one: importing
    a deep-learning library takes seconds.
    """
    onnx, keras = find_spec("onnxruntime") is not None, find_spec("keras") is not None
    onnx_gpu = keras_gpu = False
    if device != "cpu" and onnx and engine != "keras":
        from .onnx_engine import gpu_provider

        onnx_gpu = gpu_provider() is not None
    may_have = engine == "keras" or device == "gpu" or _may_have_a_gpu()
    if device != "cpu" and keras and engine != "onnx" and not onnx_gpu and may_have:
        from .keras_engine import gpu_is_there

        keras_gpu = gpu_is_there()
    return Machine(onnx, keras, onnx_gpu, keras_gpu)


def _may_have_a_gpu() -> bool:
    """Whether a driver that Keras's backends can use seems to be there."""
    if sys.platform == "linux":
        return any(Path(place).exists() for place in ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd"))
    return False  # TensorFlow has no GPU support on Windows, ours none on macOS


def _open(model: Model, which: str, choice: Choice) -> Network:
    if choice.engine == "onnx":
        from .onnx_engine import open_network as open_one
    else:
        from .keras_engine import open_network as open_one
    network = replace(open_one(model, which, choice.device), runs_on=choice.described)
    if choice.device == "cpu":
        return careful(network, None)
    # What stands in for a GPU is called as the GPU is: once at a time.
    return careful(network, lambda: open_one(model, which, "cpu", 1))


def _nothing_to_run_with(engine: str, has_onnx: bool) -> InputError | ModelError:
    if engine == "onnx" and not has_onnx:
        return ModelError(
            "this model has no ONNX graphs; make them with microcalc models --write-onnx DIR, "
            "or use --engine keras"
        )
    missing = {
        "onnx": "ONNX Runtime is not installed; run: pip install onnxruntime",
        "keras": "Keras is not installed; run: pip install 'microcalc-segmentation[cpu]'",
        "auto": "neither ONNX Runtime nor Keras is installed; run: pip install onnxruntime",
    }
    return InputError(f"the networks cannot run: {missing[engine]}")
