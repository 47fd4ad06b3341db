"""Training under another Keras backend than TensorFlow; its model is one like any other."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
from MicrocalcSegmentationLib.model import NETWORKS, load_model
from MicrocalcSegmentationLib.training.minibatches import Minibatches, Plan
from MicrocalcSegmentationLib.training.samples.access import Samples
from MicrocalcSegmentationLib.training.scoring import scores_of

SCRIPT = Path(__file__).with_name("train_elsewhere.py")


def test_a_training_on_jax_that_was_killed_goes_on_to_a_model_that_tensorflow_runs_alike(
    sample_database, tmp_path
):
    folder = tmp_path / "jax"
    command = [sys.executable, str(SCRIPT), str(sample_database), str(folder)]
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        # Both processes compile the same steps: a quarter of the time.
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    killed = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    gone_on = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert gone_on.returncode == 0, gone_on.stderr
    model = load_model(folder / "model")
    said = np.load(folder / "scores.npz")
    samples = Samples(sample_database)
    for which in NETWORKS:
        assert model.training["networks"][which]["libraries"]["backend"].startswith("jax ")
        plan = Plan(which, model.architectures[which], "validation", augmentation=None)
        patches = Minibatches(samples, plan).batch(0).patches
        assert np.allclose(scores_of(model.network(which), patches), said[which], atol=1e-5)
