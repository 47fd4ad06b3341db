"""Single MRML nodes made of findings; names, colours and numbers are those of `export`."""

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ..clusters import distribution
from ..export.markups import point_lists
from ..export.nrrd import terminology_entry
from ..export.segments import Segment, segment_map, segments
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
from ..mammogram import Mammogram
from .volumes import add_volume, ijk_to_ras

LABELMAP = "Binary labelmap"  # Slicer's name of the representation
FILL_OPACITY = 0.25  # the MC itself should be seen through its colour
REVIEW_COLUMNS = ("distribution", "review", "note")


def add_segmentation(scene, volume, findings: Findings, name: str):
    """The segments of `export.segments`, all in one layer, on the volume's grid."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.SetSourceRepresentationToBinaryLabelmap()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    found = segments(findings)
    if found:
        layer = _layer(segment_map(findings), findings.mammogram)
        for segment in found:
            node.GetSegmentation().AddSegment(
                _segment(segment, layer, findings.mammogram.laterality), segment.key
            )
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetOpacity2DFill(FILL_OPACITY)
    return node


def segment_id(cluster: int) -> str:
    """The segment's id in the node: of a cluster by its number, of the isolated MCs for 0.

    The others' are their `Segment.key`, as these are."""
    return f"Cluster_{cluster}" if cluster else "Isolated"


def add_point_lists(scene, findings: Findings) -> list:
    """The clusters' centres first, then the MCs of each segment, in the segments' order."""
    return [_point_list(scene, described) for described in point_lists(findings)]


def add_cluster_table(scene, findings: Findings, name: str):
    """`CLUSTER_COLUMNS`, then what the cluster looks like and what the reader says of it."""
    spacing_mm = findings.mammogram.spacing_mm
    extra = {column: [""] * len(findings.clusters) for column in REVIEW_COLUMNS}
    extra["distribution"] = [distribution(cluster, spacing_mm) for cluster in findings.clusters]
    return _table(scene, name, (CLUSTER_COLUMNS, cluster_rows(findings)), extra)


def add_vascular_table(scene, findings: Findings, name: str):
    """`VASCULAR_COLUMNS`, a row per vascular group."""
    return _table(scene, name, (VASCULAR_COLUMNS, vascular_rows(findings)), {})


def add_calcification_table(scene, findings: Findings, name: str):
    """`CALCIFICATION_COLUMNS`, a row per MC."""
    return _table(scene, name, (CALCIFICATION_COLUMNS, calcification_rows(findings)), {})


def add_probability(scene, findings: Findings, name: str):
    """The segmentator's probability as a float volume, hidden until somebody shows it."""
    mammogram = findings.mammogram
    volume = add_volume(scene, findings.probability, mammogram.geometry, name)
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0.0, 1.0)
    return volume


def mask_of(node, mammogram: Mammogram) -> np.ndarray:
    """(rows, cols) bool: the pixels of all segments of a segmentation, as it is now.

    Segments drawn on another grid are resampled to the mammogram's.
    """
    shape = mammogram.pixels.shape
    mask = np.zeros(shape, bool)
    reference = slicer.vtkOrientedImageData()
    reference.SetExtent(0, shape[1] - 1, 0, shape[0] - 1, 0, 0)
    reference.SetGeometryFromImageToWorldMatrix(ijk_to_ras(mammogram.geometry))
    segmentation = node.GetSegmentation()
    for index in range(segmentation.GetNumberOfSegments()):
        own = slicer.vtkOrientedImageData()
        # In the node's own space: the transform over it is over the volume, too.
        node.GetBinaryLabelmapRepresentation(segmentation.GetNthSegmentID(index), own)
        if not own.IsEmpty():
            slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
                own, reference, own
            )
            _paint(mask, own)
    return mask


def _paint(mask: np.ndarray, image) -> None:
    """Set the pixels of a labelmap that lies on the mask's grid."""
    first_col, last_col, first_row, last_row, *_ = image.GetExtent()
    if last_col < first_col or last_row < first_row:
        return
    shape = last_row - first_row + 1, last_col - first_col + 1
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape)
    mask[first_row : last_row + 1, first_col : last_col + 1] |= values > 0


def _layer(values: np.ndarray, mammogram: Mammogram):
    """The part of a label map that holds anything, which all segments share."""
    rows, cols = (np.flatnonzero(values.any(axis=axis)) for axis in (1, 0))
    part = values[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    layer = slicer.vtkOrientedImageData()
    layer.SetExtent(*map(int, (cols[0], cols[-1], rows[0], rows[-1])), 0, 0)
    layer.GetPointData().SetScalars(numpy_to_vtk(part.ravel(), deep=True))
    layer.SetGeometryFromImageToWorldMatrix(ijk_to_ras(mammogram.geometry))
    return layer


def _segment(segment: Segment, layer, laterality: str | None):
    made = slicer.vtkSegment()
    made.SetName(segment.name)
    made.SetColor(*segment.colour)
    made.SetLabelValue(segment.value)
    made.SetTag(made.GetTerminologyEntryTagName(), terminology_entry(segment.type_code, laterality))
    made.AddRepresentation(LABELMAP, layer)
    return made


def _point_list(scene, described: dict):
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", described["name"])
    node.SetControlPointLabelFormat(described["labelFormat"])
    for point in described["controlPoints"]:
        left, posterior, superior = point["position"]
        index = node.AddControlPoint(vtk.vtkVector3d(-left, -posterior, superior), point["label"])
        node.SetNthControlPointDescription(index, point["description"])
        node.SetNthControlPointLocked(index, point["locked"])
    node.SetLocked(described["locked"])
    node.CreateDefaultDisplayNodes()
    shown = described["display"]
    display = node.GetDisplayNode()
    display.SetColor(*shown["color"])
    display.SetSelectedColor(*shown["selectedColor"])
    display.SetPropertiesLabelVisibility(shown["propertiesLabelVisibility"])
    display.SetPointLabelsVisibility(shown["pointLabelsVisibility"])
    display.SetTextScale(shown["textScale"])
    display.SetGlyphTypeFromString(shown["glyphType"])
    display.SetGlyphSize(shown["glyphSize"])
    display.SetUseGlyphScale(shown["useGlyphScale"])
    return node


def _table(scene, name: str, columns_and_rows, extra: dict[str, list[str]]):
    columns, rows = columns_and_rows
    table = vtk.vtkTable()
    for column, decimals in columns.items():
        _fill(table, _array_of(decimals), column, [row[column] for row in rows])
    for column, texts in extra.items():
        _fill(table, vtk.vtkStringArray(), column, texts)
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    node.SetAndObserveTable(table)
    # Without it, numbers come back from a saved scene as text.
    for column, decimals in columns.items():
        node.SetColumnType(column, _array_of(decimals).GetDataType())
    node.SetUseColumnTitleAsColumnHeader(True)
    return node


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
