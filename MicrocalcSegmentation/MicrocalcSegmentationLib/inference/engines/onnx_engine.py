"""ONNX Runtime: a small install that starts at once, on CPU, CUDA or DirectML."""

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from ...bands import cores
from ...errors import InputError, ModelError
from ...model import Model, onnx_name, shared_form
from ..network import Network, pixels_within_budget
from .memory import OutOfMemory, is_out_of_memory

# Both settings keep the numbers those of the CPU, and spare a search at each new tile size.
_GPU_PROVIDERS = {
    "CUDAExecutionProvider": {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
    "DmlExecutionProvider": {},
}
_CPU = "CPUExecutionProvider"
_PATCHES_AT_ONCE = 32  # on a CPU: nearly three times as fast as 2,048, whose maps leave its caches
_PIXELS_AT_ONCE = 2**17  # of a tile on a CPU: of more, the detector's first maps leave its caches
MOST_LANES = 16  # each holds a tile's memory, and all together should stay under 2 GiB

_log = logging.getLogger(__name__)


def gpu_provider() -> str | None:
    """What this ONNX Runtime was built to drive a GPU with; None for the CPU only."""
    import onnxruntime

    available = onnxruntime.get_available_providers()
    return next((name for name in _GPU_PROVIDERS if name in available), None)


def open_network(model: Model, which: str, device: str, lanes: int | None = None) -> Network:
    """A network of the pair on "cpu" or "gpu".

    lanes: of the network; by default one on a GPU, and on a CPU one for each core, up to
    MOST_LANES: so no core waits for others at the end of every layer.
    Raises ModelError for graphs that are missing, changed, damaged or of other inputs than
    ours, InputError where the GPU does not start.
    """
    architecture = model.architectures[which]
    lanes = lanes or (min(cores(), MOST_LANES) if device == "cpu" else 1)
    threads = 1 if lanes > 1 else cores()
    plain = _opened(model, onnx_name(which, "plain"), device, threads)

    def patches(batch):
        if device != "cpu" or len(batch) <= _PATCHES_AT_ONCE:
            return _run(plain, batch[:, None])
        starts = range(0, len(batch), _PATCHES_AT_ONCE)
        parts = (batch[first : first + _PATCHES_AT_ONCE, None] for first in starts)
        with ThreadPoolExecutor(lanes) as pool:
            return np.concatenate(list(pool.map(partial(_run, plain), parts)))

    step = architecture.shared_step(which)
    if step is None:
        return Network(architecture, patches)
    session = _opened(model, onnx_name(which, shared_form(architecture, step)), device, threads)
    seen = architecture.seen_side

    def shared(pixels):
        counts = [(size - seen) // step + 1 for size in pixels.shape]
        return _run(session, pixels[None, None]).reshape(counts)

    at_once = pixels_within_budget(architecture, step, device)
    if device == "cpu":
        at_once = min(at_once, _PIXELS_AT_ONCE)
    return Network(architecture, patches, shared, step, at_once, lanes)


def _opened(model: Model, name: str, device: str, threads: int | None = None):
    """A session for a graph in the model's folder; threads: of a call, by default all cores."""
    import onnxruntime

    content = model.file_bytes(name)
    provider = gpu_provider() if device == "gpu" else None
    providers = [(provider, _GPU_PROVIDERS[provider])] if provider else []
    try:
        session = onnxruntime.InferenceSession(
            content, _options(provider, threads or cores()), [*providers, _CPU]
        )
    # ONNX Runtime's own exceptions have no common base but Exception.
    except Exception as error:
        raise ModelError(
            f"{model.folder / name}: ONNX Runtime cannot use it ({_short(error)}); "
            "install the model again, or use --engine keras"
        ) from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if [(i.name, i.type, len(i.shape)) for i in inputs] != [("pixels", "tensor(float)", 4)] or [
        (o.name, o.type) for o in outputs
    ] != [("probability", "tensor(float)")]:
        raise ModelError(f"{model.folder / name}: not a graph of these networks' inputs and output")
    if provider and session.get_providers()[0] != provider:
        raise InputError(
            f"the GPU does not start with ONNX Runtime's {provider}: its libraries are missing or "
            "of another version; install them or use --device cpu"
        )
    return session


def _options(provider: str | None, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; they come as exceptions too
    options.intra_op_num_threads = threads
    if provider == "DmlExecutionProvider":
        options.enable_mem_pattern = False  # as its documentation demands
    return options


def _run(session, pixels: np.ndarray) -> np.ndarray:
    try:
        return session.run(None, {"pixels": np.ascontiguousarray(pixels, np.float32)})[0]
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(_short(error)) from error
        raise


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
