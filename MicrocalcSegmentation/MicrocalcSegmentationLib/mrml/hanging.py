"""Four mammograms as radiologists hang them: right beside left, chest walls back to back.

A view of the layout shows one volume and its findings, and no other's: loaded mammograms
often lie at the same place in space.
"""

from collections.abc import Mapping

import numpy as np
import vtk

from .results import find_results
from .study import VIEWS
from .volumes import pixels_of

LAYOUT_ID = 8361  # any number that no other extension is likely to take
_ABOVE_AIR = 0.12  # of the range of grey values
_LEVELS = 64
_LOOKED_AT = 400  # rows and columns of an image that are enough to see on which side it lies


def layout_description() -> str:
    """Slicer's XML of the layout: RCC | LCC above RMLO | LMLO."""
    rows = "".join(
        f'<item><layout type="horizontal">{_view(first)}{_view(second)}</layout></item>'
        for first, second in (VIEWS[:2], VIEWS[2:])
    )
    return f'<layout type="vertical">{rows}</layout>'


def register_layout(layout) -> None:
    """Make the layout known to Slicer's vtkMRMLLayoutNode."""
    if not layout.IsLayoutDescription(LAYOUT_ID):
        layout.AddLayoutDescription(LAYOUT_ID, layout_description())


def view_name(view: str) -> str:
    """The slice view's own name; so plain a one as "RCC" may be another extension's."""
    return f"Mammogram{view}"


def show_study(scene, layout, study: Mapping[str, object]) -> None:
    """Switch to the layout and hang a study's volumes in it.

    layout: Slicer's vtkMRMLLayoutNode.
    """
    register_layout(layout)
    layout.SetViewArrangement(LAYOUT_ID)
    hang(scene, study)


def hang(scene, study: Mapping[str, object]) -> None:
    """Turn the layout's views to a study's volumes, all at the same scale.

    study: view -> volume; a view without one stays empty. Without the application the views are
    made, so that a saved scene holds them.
    """
    slices = {view: _slice(scene, view) for view in VIEWS}
    scale = max((_mm_per_pixel(slices[view], study[view]) for view in study), default=1.0)
    for view in VIEWS:
        volume = study.get(view)
        _background(scene, view, volume)
        if volume is not None:
            _hang(slices[view], volume, scale, right_breast=view.startswith("R"))
    restrict(scene, study)


def restrict(scene, study: Mapping[str, object]) -> None:
    """Draw each volume's findings in its own view of the layout alone."""
    for view, volume in study.items():
        node = scene.GetSingletonNode(view_name(view), "vtkMRMLSliceNode")
        if node is not None:
            _draw_in(scene, volume, [node.GetID()])


def release(scene, volume) -> None:
    """Draw a volume's findings in every view again."""
    _draw_in(scene, volume, [])


def slice_view_of(scene, volume):
    """The view of the layout that shows a volume; None where none does."""
    for view in VIEWS:
        composite = _composite(scene, view)
        if composite is not None and composite.GetBackgroundVolumeID() == volume.GetID():
            return scene.GetSingletonNode(view_name(view), "vtkMRMLSliceNode")
    return None


def chest_wall_first(values: np.ndarray) -> bool:
    """Whether the chest wall is at column 0 of (rows, cols) values, rather than at the last.

    By where more of the image differs from air, the most common level.
    """
    steps = [max(1, size // _LOOKED_AT) for size in values.shape]
    small = values[:: steps[0], :: steps[1]].astype(np.float32)
    low, high = np.percentile(small, (1, 99))
    counts, levels = np.histogram(small, _LEVELS, (low, max(high, low + 1e-6)))
    # Air is dark, or in an image of exposures bright; tissue is spread over many levels.
    air = levels[counts.argmax()]
    tissue = np.abs(small - air) > _ABOVE_AIR * (high - low)
    # Not the edges themselves, where films have borders and labels; the nipple lies farther in.
    half = small.shape[1] // 2
    return tissue[:, :half].mean() >= tissue[:, -half:].mean()


def _view(view: str) -> str:
    properties = {"orientation": "Axial", "viewlabel": view, "viewcolor": "#8C8C8C"}
    inner = "".join(
        f'<property name="{name}" action="default">{value}</property>'
        for name, value in properties.items()
    )
    tag = f'singletontag="{view_name(view)}"'
    return f'<item><view class="vtkMRMLSliceNode" {tag}>{inner}</view></item>'


def _slice(scene, view: str):
    node = scene.GetSingletonNode(view_name(view), "vtkMRMLSliceNode")
    if node is None:
        node = scene.CreateNodeByClass("vtkMRMLSliceNode")
        node.SetLayoutName(view_name(view))
        node.SetSingletonTag(view_name(view))
        node.SetLayoutLabel(view)
        node.SetName(view)
        node = scene.AddNode(node)
    return node


def _composite(scene, view: str):
    found = scene.GetNodesByClass("vtkMRMLSliceCompositeNode")
    nodes = (found.GetItemAsObject(index) for index in range(found.GetNumberOfItems()))
    return next((node for node in nodes if node.GetLayoutName() == view_name(view)), None)


def _background(scene, view: str, volume) -> None:
    node = _composite(scene, view)
    if node is None:  # without the application; in it, its view has made one
        node = scene.CreateNodeByClass("vtkMRMLSliceCompositeNode")
        node.SetLayoutName(view_name(view))
        node.SetSingletonTag(view_name(view))
        node = scene.AddNode(node)
    node.SetLinkedControl(False)
    node.SetBackgroundVolumeID(volume.GetID() if volume is not None else None)
    for forget in (node.SetForegroundVolumeID, node.SetLabelVolumeID):
        forget(None)


def _mm_per_pixel(view, volume) -> float:
    """The least at which the whole volume fits into a view."""
    pixels, mm = volume.GetImageData().GetDimensions(), volume.GetSpacing()
    return max(pixels[axis] * mm[axis] / max(view.GetDimensions()[axis], 1) for axis in (0, 1))


def _hang(view, volume, mm_per_pixel: float, right_breast: bool) -> None:
    """Turn a view so that the chest wall is at its inner edge, and touches it."""
    cols, rows, _ = volume.GetImageData().GetDimensions()
    along_col, width_mm = _direction(volume, (cols - 1, 0))
    along_row, _height = _direction(volume, (0, rows - 1))
    inner_last = right_breast  # the inner edge is the view's right one for the right breast
    mirrored = chest_wall_first(pixels_of(volume)) == inner_last
    rightwards = -along_col if mirrored else along_col
    view_cols, view_rows, _ = view.GetDimensions()
    width, height = view_cols * mm_per_pixel, view_rows * mm_per_pixel
    view.SetFieldOfView(width, height, view.GetFieldOfView()[2])
    spare = max(0.0, (width - width_mm) / 2) * (-1 if inner_last else 1)
    middle = _world(volume, ((cols - 1) / 2, (rows - 1) / 2)) + rightwards * spare
    axes = np.stack([rightwards, -along_row, np.cross(rightwards, -along_row)], axis=1)
    matrix = vtk.vtkMatrix4x4()
    for row in range(3):
        for col in range(3):
            matrix.SetElement(row, col, float(axes[row, col]))
        matrix.SetElement(row, 3, float(middle[row]))
    view.GetSliceToRAS().DeepCopy(matrix)
    view.SetXYZOrigin(0.0, 0.0, 0.0)
    view.UpdateMatrices()


def _direction(volume, far: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Unit vector in the world from the first pixel towards a (column, row), and the mm."""
    way = _world(volume, far) - _world(volume, (0, 0))
    length = float(np.linalg.norm(way))
    return way / length, length


def _world(volume, col_row: tuple[float, float]) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    world = [0.0, 0.0, 0.0]
    volume.TransformPointToWorld(matrix.MultiplyPoint((*col_row, 0.0, 1.0))[:3], world)
    return np.array(world)


def _draw_in(scene, volume, views: list[str]) -> None:
    for node in find_results(scene, volume).nodes():
        if not node.IsA("vtkMRMLDisplayableNode") or node.IsA("vtkMRMLVolumeNode"):
            continue
        for index in range(node.GetNumberOfDisplayNodes()):
            display = node.GetNthDisplayNode(index)
            display.RemoveAllViewNodeIDs()
            for view in views:
                display.AddViewNodeID(view)
