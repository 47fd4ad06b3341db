"""The simulated study that the Slicer extension brings along.

    python -m MicrocalcSegmentationLib.simulation.sample_study FOLDER

writes the four views of one made-up patient, small enough to be shipped.
"""

import sys
from pathlib import Path

import numpy as np

from .cases import CaseOptions, simulate_case, write_nrrd

SEED = 68
SPACING_MM, SHAPE = 0.1, (1700, 1100)
# View -> clusters: in the left breast, seen twice.
CLUSTERS = {"RCC": 0, "LCC": 1, "RMLO": 0, "LMLO": 1}
_LEVEL = 6.0  # deviations of the local texture: plain to see
_GREY_STEP = 16  # of 12 bits, to 8: half of the noise's deviation, and a third of the size


def write_sample_study(folder: Path) -> list[Path]:
    """Write `Simulated<view>.nrrd` for each view; the same simulation gives the same pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, (name, clusters) in enumerate(CLUSTERS.items()):
        options = CaseOptions(
            spacing_mm=SPACING_MM,
            shape=SHAPE,
            clusters=clusters,
            singles=2,
            view=name[1:],
            density="B",
            laterality=name[0],
            level=_LEVEL,
        )
        mammogram = simulate_case(SEED + number, options).mammogram
        paths.append(folder / f"Simulated{name}.nrrd")
        write_nrrd((mammogram.pixels // _GREY_STEP).astype(np.uint8), mammogram, paths[-1])
    return paths


if __name__ == "__main__":
    write_sample_study(Path(sys.argv[1]))
