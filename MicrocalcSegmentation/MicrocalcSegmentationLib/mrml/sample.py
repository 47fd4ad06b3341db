"""The simulated study that comes with the extension, for a first try without any data."""

from pathlib import Path

import numpy as np

from ..reading import read_mammogram
from .results import item_of
from .volumes import add_volume

FOLDER = Path(__file__).resolve().parents[2] / "Resources/SampleData"
STUDY = "SimulatedMammogramStudy"
MAMMOGRAM = "SimulatedMammogram"
# Name in Sample Data -> files, and the volumes that they become.
SAMPLES = {
    MAMMOGRAM: ("SimulatedLCC",),
    STUDY: ("SimulatedRCC", "SimulatedLCC", "SimulatedRMLO", "SimulatedLMLO"),
}


def load_sample(scene, name: str = MAMMOGRAM) -> list:
    """Add a sample to a scene; returns its volume nodes."""
    volumes = []
    for file in SAMPLES[name]:
        mammogram = read_mammogram(FOLDER / f"{file}.nrrd")
        values = mammogram.pixels.astype(np.uint8)
        volume = add_volume(scene, values, mammogram.geometry, file)
        volume.CreateDefaultDisplayNodes()
        item_of(scene, volume)
        volumes.append(volume)
    return volumes
