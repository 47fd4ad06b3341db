"""The simulated mammogram that comes with the extension, for a first try without any data."""

from pathlib import Path

import numpy as np

from ..reading import read_mammogram
from .results import item_of
from .volumes import add_volume

NAME = "SimulatedMammogram"
PATH = Path(__file__).resolve().parents[2] / "Resources/SampleData/SimulatedMammogram.nrrd"


def load_sample(scene):
    """Add the simulated mammogram to a scene; returns its volume node."""
    mammogram = read_mammogram(PATH)
    volume = add_volume(scene, mammogram.pixels.astype(np.int16), mammogram.geometry, NAME)
    volume.CreateDefaultDisplayNodes()
    item_of(scene, volume)
    return volume
