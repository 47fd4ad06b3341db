"""Small networks with random weights: quick to build, nothing trained."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest
from MicrocalcSegmentationLib.networks import Architecture

SMALL = Architecture(channels=(4, 6, 6, 6, 6, 6), features=8)


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    keras.utils.set_random_seed(7)


@pytest.fixture
def small():
    return SMALL
