"""Where the slice views look."""

import numpy as np

from ..findings import Cluster, Findings
from .volumes import ras_of

MARGIN_MM = 8.0  # around a cluster, so that the eye has surroundings to compare it with


def show_cluster(scene, volume, findings: Findings, cluster: Cluster, only=None) -> None:
    """Centre every slice view on a cluster, or only one, as near as leaves a margin around it."""
    ras = ras_of(findings.mammogram.geometry, np.array([cluster.row, cluster.col]))
    world = [0.0, 0.0, 0.0]
    volume.TransformPointToWorld(ras.tolist(), world)
    width_mm = cluster.extent_mm + 2 * MARGIN_MM
    found = scene.GetNodesByClass("vtkMRMLSliceNode")
    every = [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())]
    for view in every if only is None else [only]:
        view.SetXYZOrigin(0.0, 0.0, 0.0)  # where panning has left it
        view.JumpSliceByCentering(*world)
        _zoom(view, width_mm)


def _zoom(view, width_mm: float) -> None:
    """Show so many millimetres along the shorter side, with square pixels."""
    x_mm, y_mm, z_mm = view.GetFieldOfView()
    shorter = min(x_mm, y_mm)
    if shorter > 0:
        factor = width_mm / shorter
        view.SetFieldOfView(x_mm * factor, y_mm * factor, z_mm)
        view.UpdateMatrices()
