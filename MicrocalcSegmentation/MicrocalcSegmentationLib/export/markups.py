"""`.mrk.json`: the findings as 3D Slicer's point lists.

One file holds several lists, each of which Slicer loads as a node of its own: first the
centres of the clusters, then the MCs of each segment in the segments' order.
Schema: https://github.com/Slicer/Slicer/tree/main/Modules/Loadable/Markups/Resources/Schema
"""

import json
from pathlib import Path

import numpy as np

from ..findings import MICROCALCIFICATION, Calcification, Cluster, Findings
from ..geometry import Geometry
from .segments import Colour, count_text, segment_key, segments

# 1.0.3 rather than the newest: Slicer refuses a version that it does not know.
_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/"
    "Resources/Schema/markups-schema-v1.0.3.json#"
)
# The glyph is open: its arms end 0.12 mm from the middle, at the rim of a typical MC.
_MC_GLYPH_MM = 1.2
_CENTRE_GLYPH_MM = 3.0
_CENTRE_COLOUR: Colour = (1.0, 1.0, 1.0)


def write_markups(findings: Findings, path: Path) -> None:
    """Write all point lists into one file. Raises OSError."""
    document = {"@schema": _SCHEMA, "markups": point_lists(findings)}
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def point_lists(findings: Findings) -> list[dict]:
    """The lists as the file's `markups`: the clusters' centres, then a list per segment."""
    geometry = findings.mammogram.geometry
    lists = [_centres(findings.clusters, geometry)]
    for segment in segments(findings):
        members = [mc for mc in findings.calcifications if segment_key(mc) == segment.key]
        lists.append(_members(segment.name, members, geometry, segment.colour))
    return lists


def centre_label(cluster: Cluster) -> str:
    """ "Cluster 1: 12 MCs, 45 per cm2"."""
    density = f"{cluster.density_per_cm2:.0f} per cm2"
    return f"Cluster {cluster.number}: {count_text(cluster.count)}, {density}"


def _centres(clusters: tuple[Cluster, ...], geometry: Geometry) -> dict:
    points = [
        _point(
            cluster,
            geometry,
            centre_label(cluster),
            f"area {cluster.area_mm2:.1f} mm2, extent {cluster.extent_mm:.1f} mm",
        )
        for cluster in clusters
    ]
    display = _display(_CENTRE_COLOUR, "CrossDot2D", _CENTRE_GLYPH_MM, labels=True)
    return _point_list("Cluster centres", points, display)


def _members(
    name: str, calcifications: list[Calcification], geometry: Geometry, colour: Colour
) -> dict:
    points = [
        _point(
            mc,
            geometry,
            f"MC {mc.number}",
            f"diameter {mc.diameter_mm:.2f} mm, area {mc.area_mm2:.3f} mm2, "
            f"probability {mc.probability:.3f}" + _kind_text(mc),
        )
        for mc in calcifications
    ]
    return _point_list(name, points, _display(colour, "CrossDot2D", _MC_GLYPH_MM, labels=False))


def _kind_text(mc: Calcification) -> str:
    return "" if mc.kind == MICROCALCIFICATION else f", {mc.kind}"


def _point(item: Calcification | Cluster, geometry: Geometry, label: str, description: str) -> dict:
    position = geometry.position_lps(np.array([item.row, item.col]))
    return {
        "id": str(item.number),
        "label": label,
        "description": description,
        "position": [round(float(coordinate), 6) + 0.0 for coordinate in position],
        "selected": True,
        "locked": True,
        "visibility": True,
        "positionStatus": "defined",
    }


def _point_list(name: str, points: list[dict], display: dict) -> dict:
    return {
        "type": "Fiducial",
        "name": name,
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        # A measured position should not move because somebody drags in the view.
        "locked": True,
        "labelFormat": "%N-%d",
        "lastUsedControlPointNumber": len(points),
        "controlPoints": points,
        "measurements": [],
        "display": display,
    }


def _display(colour: Colour, glyph: str, size_mm: float, labels: bool) -> dict:
    return {
        "visibility": True,
        "color": list(colour),
        # Slicer draws points that are selected, as all are at first, in this one.
        "selectedColor": list(colour),
        "propertiesLabelVisibility": False,
        "pointLabelsVisibility": labels,
        "textScale": 3.0,
        "glyphType": glyph,
        "glyphSize": size_mm,
        "useGlyphScale": False,
    }
