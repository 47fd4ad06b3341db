"""The README's pictures of Slicer's views: the sample study as the shipped pair segments it.

    python Testing/scene/pictures.py DIR

DIR gets study.png, the four views as they hang, and slice_view.png, one of them.
Drawn by Slicer's own code (the slicer-core wheel), without its window.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import slicer
from MicrocalcSegmentationLib import load_model, read_mammogram, segment
from MicrocalcSegmentationLib.mrml import hanging
from MicrocalcSegmentationLib.mrml.application import OwnScene
from MicrocalcSegmentationLib.mrml.results import write_results
from MicrocalcSegmentationLib.mrml.volumes import add_volume
from MicrocalcSegmentationLib.simulation.sample_study import write_sample_study
from PIL import Image
from rendering import SliceView

VIEWS = ("RCC", "LCC", "RMLO", "LMLO")
SIZE, SINGLE_SIZE = (560, 420), (900, 700)
LINE, FRAME = 70, [(0, 1), (0, 1), (0, 0)]  # grey, between views


def main(output: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = write_sample_study(Path(folder))
        study = dict(zip(VIEWS, map(read_mammogram, paths), strict=True))
    model = load_model()
    found = {name: segment(mammogram, model) for name, mammogram in study.items()}
    for name, findings in found.items():
        print(name, len(findings.calcifications), "MCs,", len(findings.clusters), "clusters")
    output.mkdir(parents=True, exist_ok=True)
    Image.fromarray(hung(found)).save(output / "study.png")
    Image.fromarray(single(found["LMLO"])).save(output / "slice_view.png")


def hung(found: dict) -> np.ndarray:
    """(rows, cols, 3) uint8: four findings as a study, in the layout."""
    opened = OwnScene()
    layout = slicer.vtkMRMLLayoutLogic()
    layout.SetMRMLScene(opened.scene)
    hanging.register_layout(layout.GetLayoutNode())
    layout.GetLayoutNode().SetViewArrangement(hanging.LAYOUT_ID)
    volumes = {name: with_volume(opened, name, found[name]) for name in VIEWS}
    views = {name: view_of(opened, volumes[name], SIZE, hanging.view_name(name)) for name in VIEWS}
    for name, volume in volumes.items():
        write_results(opened.scene, volume, found[name])
    hanging.show_study(opened.scene, layout.GetLayoutNode(), volumes)
    pictures = {name: np.pad(v.picture(), FRAME, constant_values=LINE) for name, v in views.items()}
    views.clear()  # before the scene that they show
    return np.vstack([np.hstack([pictures[n] for n in pair]) for pair in (VIEWS[:2], VIEWS[2:])])


def single(findings) -> np.ndarray:
    """(rows, cols, 3) uint8: one findings in a slice view."""
    opened = OwnScene()
    volume = with_volume(opened, "mammogram", findings)
    write_results(opened.scene, volume, findings)
    view = view_of(opened, volume, SINGLE_SIZE, "Red")
    picture = view.picture()
    del view
    return picture


def with_volume(opened: OwnScene, name: str, findings):
    mammogram = findings.mammogram
    volume = add_volume(opened.scene, mammogram.pixels, mammogram.geometry, name)
    volume.CreateDefaultDisplayNodes()
    return volume


def view_of(opened: OwnScene, volume, size: tuple[int, int], name: str) -> SliceView:
    return SliceView(slicer, opened.scene, opened.application, volume, size, name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
