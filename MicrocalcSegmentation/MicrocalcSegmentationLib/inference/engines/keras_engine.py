"""Keras, on TensorFlow, PyTorch or JAX: the engine that trains, and the reference."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ...model import Model
from ...networks import Architecture, build_dense, fold
from ..network import Network, Predict, pixels_within_budget
from .memory import OutOfMemory, is_out_of_memory

if TYPE_CHECKING:
    import keras


def open_network(model: Model, which: str, device: str, lanes: int | None = None) -> Network:
    """A network of the pair on "cpu" or "gpu"; raises ModelError as `Model.network` does.

    lanes: of the network; always one, for every backend spreads a call over the cores itself.
    """
    architecture = model.architectures[which]
    run = _runner(model.network(which), device)

    def patches(batch):
        return run(batch[..., None])[:, 0, 0, 1]

    step = architecture.shared_step(which)
    if step is None:
        return Network(architecture, patches)
    if step == 1:
        shared = _logistic(_runner(model.dense_network(which), device))
    else:
        sliding = _runner(model.network(which, sliding=True), device)
        apart = step // architecture.stride

        def shared(pixels):
            return sliding(pixels[None, ..., None])[0, ::apart, ::apart, 1]

    # Keras keeps a layer's output while the next is computed in a copy of another layout.
    at_once = pixels_within_budget(architecture, step, device) // 2
    return Network(architecture, patches, shared, step, at_once)


def dense_network(network: "keras.Model", architecture: Architecture) -> Network:
    """A segmentator in training, at every pixel, on the CPU; it answers no single patches."""
    weights = {
        "/".join(weight.path.split("/")[-2:]): np.asarray(weight) for weight in network.weights
    }
    run = _runner(build_dense(architecture, fold(weights)), "cpu")
    at_once = pixels_within_budget(architecture, 1, "cpu") // 2
    return Network(architecture, lambda patches: patches, _logistic(run), 1, at_once)


def gpu_is_there() -> bool:
    """Whether Keras's backend sees a GPU."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow

        return bool(tensorflow.config.list_physical_devices("GPU"))
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.is_available()
    import jax

    return any(device.platform == "gpu" for device in jax.devices())


def _logistic(run: Predict) -> Predict:
    """(rows, cols) -> (r, c), by a network that gives logits."""

    def shared(pixels):
        logit = run(pixels[None, ..., None])[0, ..., 0]
        return 1 / (1 + np.exp(-np.clip(logit, -80, 80)))

    return shared


def _runner(network: "keras.Model", device: str) -> Predict:
    import keras

    call = _call(network)

    def run(batch: np.ndarray) -> np.ndarray:
        try:
            with keras.device(f"{device}:0"):
                return np.asarray(call(np.ascontiguousarray(batch, np.float32)))
        # Each backend has an exception of its own for this, none with a common base.
        except Exception as error:
            if is_out_of_memory(error):
                raise OutOfMemory(str(error).splitlines()[0][:200]) from error
            raise

    return run


def _call(network: "keras.Model") -> Callable:
    import keras

    if keras.backend.backend() != "tensorflow":
        return network.predict_on_batch
    import tensorflow

    # The numbers are to be those of the CPU.
    tensorflow.config.experimental.enable_tensor_float_32_execution(False)
    side, channels = network.input_shape[1:3], network.input_shape[3]
    signature = tensorflow.TensorSpec((None, *side, channels), tensorflow.float32)
    # Keras's own predict compiles anew for new sizes of tiles.
    return tensorflow.function(
        lambda images: network(images, training=False), input_signature=[signature]
    )
