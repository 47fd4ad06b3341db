"""Single MRML nodes made of findings; names, colours and numbers are those of `export`."""

import slicer

from ..export.nrrd import terminology_entry
from ..export.segments import Segment, segments
from ..findings import Findings
from .volumes import add_image

LABELMAP = "Binary labelmap"  # Slicer's name of the representation
FILL_OPACITY = 0.25  # the MC itself should be seen through its colour


def add_segmentation(scene, volume, findings: Findings, layer, name: str):
    """The segments of `export.segments`, all in one layer, on the volume's grid.

    layer: as `prepared.layer_in_steps` makes it.
    """
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.SetSourceRepresentationToBinaryLabelmap()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for segment in segments(findings):
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


def add_point_list(scene, node, shown: dict):
    """Add a point list that is ready but for how it looks. shown: `display` of `point_lists`."""
    scene.AddNode(node)
    node.CreateDefaultDisplayNodes()
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


def add_table(scene, table, columns: dict[str, int | str | None], name: str):
    """Add a vtkTable. columns: as of `export.tables`."""
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    node.SetAndObserveTable(table)
    # Without it, numbers come back from a saved scene as text.
    for column in columns:
        node.SetColumnType(column, table.GetColumnByName(column).GetDataType())
    node.SetUseColumnTitleAsColumnHeader(True)
    return node


def add_probability(scene, findings: Findings, image, name: str):
    """The segmentator's probability as a float volume, hidden until somebody shows it."""
    volume = add_image(scene, None, findings.mammogram.geometry, name)
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    # Before there is an image: to find a window by itself, it would look at every pixel.
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0.0, 1.0)
    volume.SetAndObserveImageData(image)
    return volume


def _segment(segment: Segment, layer, laterality: str | None):
    made = slicer.vtkSegment()
    made.SetName(segment.name)
    made.SetColor(*segment.colour)
    made.SetLabelValue(segment.value)
    made.SetTag(made.GetTerminologyEntryTagName(), terminology_entry(segment.type_code, laterality))
    made.AddRepresentation(LABELMAP, layer)
    return made
