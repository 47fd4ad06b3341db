"""Running a network: arrays in, probabilities out, on the device asked for."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    import keras

Predict = Callable[[np.ndarray], np.ndarray]

_log = logging.getLogger(__name__)


def choose_device(wanted: str) -> str:
    """Keras's name of the device for "auto", "cpu" or "gpu".

    Raises InputError for "gpu" on a machine where Keras's backend sees none.
    """
    if wanted not in ("auto", "cpu", "gpu"):
        raise InputError(f"device {wanted!r} is unknown; use auto, cpu or gpu")
    found = wanted != "cpu" and _gpu_is_there()
    if wanted == "gpu" and not found:
        raise InputError(
            "no GPU that the deep-learning library can use was found; use --device cpu"
        )
    device = "gpu:0" if found else "cpu:0"
    _log.info("networks run on %s (%s)", device, f"asked for {wanted}")
    return device


def patch_predictor(network: "keras.Model", device: str) -> Predict:
    """(B, N, N) patches -> (B,) probability of the positive class."""
    run = _runner(network, device)
    return lambda patches: run(patches[..., None])[:, 0, 0, 1]


def map_predictor(network: "keras.Model", device: str) -> Predict:
    """(B, rows, cols) pixels -> (B, r, c) probabilities, by a sliding network, stride 4."""
    run = _runner(network, device)
    return lambda images: run(images[..., None])[..., 1]


def _runner(network: "keras.Model", device: str) -> Predict:
    import keras

    def run(batch: np.ndarray) -> np.ndarray:
        with keras.device(device):
            return np.asarray(network.predict_on_batch(batch.astype(np.float32, copy=False)))

    return run


def _gpu_is_there() -> bool:
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow

        return bool(tensorflow.config.list_physical_devices("GPU"))
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.is_available()
    import jax

    return any(device.platform == "gpu" for device in jax.devices())
