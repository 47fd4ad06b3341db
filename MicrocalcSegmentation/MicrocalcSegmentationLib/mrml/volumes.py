"""Between Slicer's volume nodes and mammograms.

MRML counts in RAS, millimetres and (column, row, slice); the library in LPS and (row, col).
"""

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ..errors import InputError
from ..geometry import Geometry
from ..reading.spacing import MAX_SPACING_MM, MIN_SPACING_MM

_RAS_OF_LPS = np.array([-1.0, -1.0, 1.0])
_RIGID = 1e-3  # how far from rigid rounding in a file may take a transform


def require_usable_volume(volume) -> None:
    """Refuse, by looking at the node alone and in no time, what is not a mammogram."""
    if volume is None:
        raise InputError("no volume is chosen; load a mammogram and choose it")
    name = volume.GetName()
    if not volume.IsA("vtkMRMLScalarVolumeNode") or volume.IsA("vtkMRMLLabelMapVolumeNode"):
        raise InputError(f"{name}: not a grey image; choose the mammogram itself")
    image = volume.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0:
        raise InputError(f"{name}: the volume holds no image; load it again")
    if image.GetNumberOfScalarComponents() != 1:
        raise InputError(
            f"{name}: a colour image; mammograms are grey, convert it with Slicer's "
            "Vector to Scalar Volume module"
        )
    slices = image.GetDimensions()[2]
    if slices != 1:
        raise InputError(
            f"{name}: {slices} slices or frames (tomosynthesis?); choose a 2-D mammogram"
        )
    _require_known_spacing(name, volume.GetSpacing()[1::-1])
    _require_rigid_transform(volume)


def set_spacing(volume, spacing_mm: tuple[float, float]) -> None:
    """Give a volume the (row, col) spacing that its file did not state.

    Raises InputError for one that no mammogram has.
    """
    row_mm, col_mm = spacing_mm
    if not all(MIN_SPACING_MM <= mm <= MAX_SPACING_MM for mm in spacing_mm):
        raise InputError(
            f"{row_mm:g} x {col_mm:g} mm is no mammogram's pixel spacing; "
            f"give {MIN_SPACING_MM} to {MAX_SPACING_MM} mm"
        )
    volume.SetSpacing(col_mm, row_mm, volume.GetSpacing()[2])


def geometry_of(volume) -> Geometry:
    """The pixel grid in LPS, without the transform that the volume may be under."""
    ras = _matrix_of(volume)
    lps = ras[:3] * _RAS_OF_LPS[:, None]
    lengths = np.linalg.norm(lps[:, :3], axis=0)
    directions = (lps[:, :3] / lengths).T
    col_mm, row_mm, slice_mm = (float(length) for length in lengths)
    return Geometry(
        spacing_mm=(row_mm, col_mm),
        origin_lps=tuple(float(mm) for mm in lps[:, 3]),
        directions_lps=tuple(tuple(float(part) for part in axis) for axis in directions),
        slice_thickness_mm=slice_mm,
    )


def ijk_to_ras(geometry: Geometry) -> vtk.vtkMatrix4x4:
    """Slicer's matrix from (column, row, slice) to RAS."""
    along_col, along_row, along_slice = np.asarray(geometry.directions_lps, float)
    row_mm, col_mm = geometry.spacing_mm
    columns = (
        *(along_col * col_mm, along_row * row_mm, along_slice * geometry.slice_thickness_mm),
        np.asarray(geometry.origin_lps, float),
    )
    matrix = vtk.vtkMatrix4x4()
    for column, vector in enumerate(columns):
        for row, value in enumerate(vector * _RAS_OF_LPS):
            matrix.SetElement(row, column, float(value))
    return matrix


def ras_of(geometry: Geometry, rows_cols: np.ndarray) -> np.ndarray:
    """RAS positions in mm, (..., 3), of fractional (row, col), (..., 2)."""
    return geometry.position_lps(rows_cols) * _RAS_OF_LPS


def pixels_of(volume) -> np.ndarray:
    """(rows, cols) values of a volume of one slice; a view, not a copy."""
    return values_of(volume.GetImageData())


def values_of(image) -> np.ndarray:
    """(rows, cols) values of a vtkImageData of one slice; a view, not a copy."""
    cols, rows, _ = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, cols)


def add_volume(scene, values: np.ndarray, geometry: Geometry, name: str):
    """A new scalar volume node of (rows, cols) values, with nothing to show it yet."""
    image = vtk.vtkImageData()
    image.SetDimensions(values.shape[1], values.shape[0], 1)
    # Slicer has no storage for bool, and this copy is the node's own.
    kept = values.astype(np.uint8) if values.dtype == bool else values
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(kept).ravel(), deep=True))
    return add_image(scene, image, geometry, name)


def add_image(scene, image, geometry: Geometry, name: str):
    """A new scalar volume node of a vtkImageData, with nothing to show it yet."""
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    volume.SetAndObserveImageData(image)
    volume.SetIJKToRASMatrix(ijk_to_ras(geometry))
    return volume


def _matrix_of(volume) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return np.array([[matrix.GetElement(row, col) for col in range(4)] for row in range(4)])


def _require_known_spacing(name: str, row_col_mm: tuple[float, float]) -> None:
    row_mm, col_mm = row_col_mm
    if row_mm == col_mm == 1.0:
        raise InputError(
            f"{name}: its file states no pixel spacing (Slicer shows 1 mm instead); "
            "enter the true spacing"
        )
    if not all(MIN_SPACING_MM <= mm <= MAX_SPACING_MM for mm in row_col_mm):
        raise InputError(
            f"{name}: pixels of {row_mm:g} x {col_mm:g} mm, which no mammogram has "
            f"({MIN_SPACING_MM} to {MAX_SPACING_MM} mm); choose a mammogram, or enter its "
            "true spacing"
        )


def _require_rigid_transform(volume) -> None:
    """A turned or moved volume is fine: results go under the same transform."""
    transform = volume.GetParentTransformNode()
    if transform is None:
        return
    matrix = vtk.vtkMatrix4x4()
    linear = transform.IsTransformToWorldLinear() and transform.GetMatrixTransformToWorld(matrix)
    if linear:
        turn = np.array([[matrix.GetElement(i, j) for j in range(3)] for i in range(3)])
        if np.allclose(turn @ turn.T, np.eye(3), atol=_RIGID):
            return
    raise InputError(
        f"{volume.GetName()}: under the transform {transform.GetName()}, which scales or bends it, "
        "so that nothing on it can be measured; harden or remove the transform"
    )
