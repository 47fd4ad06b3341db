"""Everything that findings become in a scene, made beside the scene in short steps.

What takes long in a full-size image is done here; adding it to the scene is then quick.
"""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import slicer
import vtk

from ..clusters import distribution
from ..export.markups import point_lists
from ..export.segments import Marked, marked, segment_values
from ..export.tables import (
    CALCIFICATION_COLUMNS,
    CLUSTER_COLUMNS,
    TEXT,
    VASCULAR_COLUMNS,
    calcification_rows,
    cluster_rows,
    vascular_rows,
)
from ..findings import Findings
from .steps import bands_of
from .volumes import ijk_to_ras, values_of

REVIEW_COLUMNS = ("distribution", "review", "note")
_AT_ONCE = 100  # points or rows added in a step

Steps = Generator[None, None, object]


@dataclass(frozen=True)
class Prepared:
    """The parts of one volume's findings, none of them in a scene yet.

    layer: vtkOrientedImageData of all segments, None where there is no MC. lists: point lists
    (markups node and its display as of `export.markups`), the clusters' centres first.
    clusters, calcifications, vascular: vtkTable, the last None where there is no such group.
    probability: vtkImageData, None unless asked for.
    """

    findings: Findings
    layer: object | None
    lists: list[tuple[object, dict]]
    clusters: object
    calcifications: object
    vascular: object | None = None
    probability: object | None = None


def prepare_in_steps(
    scene, findings: Findings, with_probability: bool = False, on_mcs: Marked | None = None
) -> Generator[None, None, Prepared]:
    """Make the parts for a scene, which is not changed.

    on_mcs: the labels' marked pixels, where they are known already.
    """
    on_mcs = marked(findings.labels) if on_mcs is None else on_mcs
    yield
    layer = yield from layer_in_steps(findings, on_mcs)
    lists = []
    for described in point_lists(findings):
        node = yield from _point_list(scene, described)
        lists.append((node, described["display"]))
    spacing_mm = findings.mammogram.spacing_mm
    extra = {column: [""] * len(findings.clusters) for column in REVIEW_COLUMNS}
    extra["distribution"] = [distribution(cluster, spacing_mm) for cluster in findings.clusters]
    yield
    clusters = yield from _table(CLUSTER_COLUMNS, cluster_rows(findings), extra)
    yield
    mcs = yield from _table(CALCIFICATION_COLUMNS, calcification_rows(findings), {})
    vascular, probability = None, None
    if findings.vascular:
        vascular = yield from _table(VASCULAR_COLUMNS, vascular_rows(findings), {})
    if with_probability:
        probability = yield from _image(findings.probability)
    return Prepared(findings, layer, lists, clusters, mcs, vascular, probability)


def layer_in_steps(findings: Findings, on_mcs: Marked) -> Steps:
    """The part of the label map that holds anything, which all segments share; or None."""
    if not on_mcs.places.size:
        return None
    rows, cols = np.divmod(on_mcs.places, findings.labels.shape[1])
    values = segment_values(findings, on_mcs)
    top, bottom, left, right = map(int, (rows.min(), rows.max(), cols.min(), cols.max()))
    layer = slicer.vtkOrientedImageData()
    layer.SetExtent(left, right, top, bottom, 0, 0)
    layer.SetGeometryFromImageToWorldMatrix(ijk_to_ras(findings.mammogram.geometry))
    wide = values.dtype == np.uint16
    layer.AllocateScalars(vtk.VTK_UNSIGNED_SHORT if wide else vtk.VTK_UNSIGNED_CHAR, 1)
    map_of = values_of(layer)
    for band in bands_of(map_of):
        map_of[band] = 0
        yield
    map_of[rows - top, cols - left] = values
    return layer


def _image(values: np.ndarray) -> Steps:
    """A copy of (rows, cols) float32 values."""
    image = vtk.vtkImageData()
    image.SetDimensions(values.shape[1], values.shape[0], 1)
    image.AllocateScalars(vtk.VTK_FLOAT, 1)
    copy = values_of(image)
    for band in bands_of(values):
        copy[band] = values[band]
        yield
    return image


def _point_list(scene, described: dict) -> Steps:
    """A markups node that is not in the scene yet."""
    node = scene.CreateNodeByClass("vtkMRMLMarkupsFiducialNode")
    node.SetName(described["name"])
    node.SetControlPointLabelFormat(described["labelFormat"])
    for number, point in enumerate(described["controlPoints"], 1):
        left, posterior, superior = point["position"]
        index = node.AddControlPoint(vtk.vtkVector3d(-left, -posterior, superior), point["label"])
        node.SetNthControlPointDescription(index, point["description"])
        node.SetNthControlPointLocked(index, point["locked"])
        if number % _AT_ONCE == 0:
            yield
    node.SetLocked(described["locked"])
    return node


def _table(
    columns: dict[str, int | str | None], rows: list[dict], extra: dict[str, list[str]]
) -> Steps:
    """A vtkTable. columns: as of `export.tables`. extra: of texts."""
    table = vtk.vtkTable()
    for column, decimals in columns.items():
        _fill(table, _array_of(decimals), column, [row[column] for row in rows])
        yield
    for column, texts in extra.items():
        _fill(table, vtk.vtkStringArray(), column, texts)
    return table


def _array_of(decimals: int | str | None):
    """An empty array for a column of `export.tables`."""
    if decimals == TEXT:
        return vtk.vtkStringArray()
    return vtk.vtkIntArray() if decimals is None else vtk.vtkDoubleArray()


def _fill(table, array, name: str, values: list) -> None:
    array.SetName(name)
    for value in values:
        array.InsertNextValue(value)
    table.AddColumn(array)
