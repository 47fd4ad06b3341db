"""The findings of one volume in a scene: written as a whole, found again, replaced, removed.

Results know their volume by a node reference, which Slicer keeps right when scenes are
saved, loaded and merged, and never by a name, which users change.
"""

from dataclasses import dataclass, field

import slicer

from ..errors import InputError
from ..export.segments import Segment, segments
from ..export.tables import CALCIFICATION_COLUMNS, CLUSTER_COLUMNS, VASCULAR_COLUMNS
from ..findings import Findings
from . import nodes
from .prepared import Prepared, prepare_in_steps
from .steps import finished

SOURCE_ROLE = "MicrocalcSegmentation.source"
KIND = "MicrocalcSegmentation.kind"
PART = "MicrocalcSegmentation.cluster"  # of a point list: see `_part`
THRESHOLD = "MicrocalcSegmentation.threshold"
MODEL = "MicrocalcSegmentation.model"


@dataclass(frozen=True)
class Results:
    """The nodes of one volume's findings.

    points: cluster number, 0 for isolated MCs, "Coarse", "Vascular_1" -> point list.
    vascular: the table of vascular groups; None where there is none. probability: None unless asked
    for. folder: the subject-hierarchy item that holds them. Any node but `volume` is None
    when the user has deleted it.
    """

    volume: object
    segmentation: object | None
    centres: object | None
    clusters: object | None
    calcifications: object | None
    probability: object | None = None
    vascular: object | None = None
    points: dict[int | str, object] = field(default_factory=dict)
    folder: int = 0

    def nodes(self) -> list:
        """All of them that are there."""
        single = (self.segmentation, self.centres, self.clusters, self.calcifications)
        others = (self.vascular, self.probability, *self.points.values())
        return [node for node in (*single, *others) if node is not None]


def write_results(scene, volume, findings: Findings, with_probability: bool = False) -> Results:
    """Put the findings into the scene, in place of the volume's earlier ones.

    All nodes or none: when one cannot be made, the scene is as it was.
    Raises InputError when the volume has left the scene meanwhile, or has changed its size.
    """
    return write_prepared(
        scene, volume, finished(prepare_in_steps(scene, findings, with_probability))
    )


def write_prepared(scene, volume, prepared: Prepared) -> Results:
    """`write_results` of what was made beside the scene already."""
    require_present(scene, volume, prepared.findings.mammogram.pixels.shape)
    earlier = find_results(scene, volume)
    made: list = []
    scene.StartState(scene.BatchProcessState)
    try:
        _add_nodes(scene, volume, prepared, made)
        folder = _folder(scene, volume, earlier)
        hierarchy = hierarchy_of(scene)
        for node in made:
            hierarchy.SetItemParent(item_of(scene, node), folder)
    except BaseException:
        remove_nodes(scene, made)
        raise
    else:
        remove_nodes(scene, earlier.nodes())
    finally:
        scene.EndState(scene.BatchProcessState)
    return find_results(scene, volume)


def find_results(scene, volume) -> Results:
    """What is in the scene of the volume's findings, by reference; all None when nothing is."""
    found: dict[str, object] = {}
    points: dict[int | str, object] = {}
    for node in _results_in(scene):
        if node.GetNodeReference(SOURCE_ROLE) is not volume:
            continue
        kind = node.GetAttribute(KIND)
        if kind == "points":
            part = node.GetAttribute(PART)
            points[int(part) if part.isdigit() else part] = node
        else:
            found[kind] = node
    names = ("segmentation", "centres", "clusters", "calcifications", "probability", "vascular")
    results = Results(volume, *(found.get(name) for name in names), points=points)
    return Results(**{**results.__dict__, "folder": _folder_of(scene, results)})


def remove_results(scene, volume) -> None:
    """Remove the volume's results and, when nothing else is in it, their folder."""
    results = find_results(scene, volume)
    remove_nodes(scene, results.nodes())
    _remove_empty_folder(scene, results.folder)


def remove_nodes(scene, unwanted: list) -> None:
    """Remove nodes with everything that serves them alone: display, storage, hierarchy item."""
    hierarchy = hierarchy_of(scene)
    for node in unwanted:
        served = [node.GetNthDisplayNode(n) for n in range(_display_count(node))]
        served += [node.GetNthStorageNode(n) for n in range(node.GetNumberOfStorageNodes())]
        item = hierarchy.GetItemByDataNode(node)
        if item:
            # Of a segmentation, with the segments' own items.
            hierarchy.RemoveItem(item, False, True)
        scene.RemoveNode(node)
        for other in served:
            if other is not None:
                scene.RemoveNode(other)


def item_of(scene, node) -> int:
    """The node's subject-hierarchy item, made where no application has made it."""
    hierarchy = hierarchy_of(scene)
    return hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(
        hierarchy.GetSceneItemID(), node
    )


def require_present(scene, volume, shape: tuple[int, int]) -> None:
    """Raise InputError where a volume has left the scene, or has another (rows, cols) now."""
    if volume is None or scene.GetNodeByID(volume.GetID() or "") is not volume:
        raise InputError("the volume was closed while the work ran; nothing was written")
    image = volume.GetImageData()
    size = image.GetDimensions()[1::-1] if image is not None else None
    if size != shape:
        raise InputError(
            f"{volume.GetName()}: the volume has changed since the work began; run it again"
        )


def _part(segment: Segment) -> str:
    """What `PART` says: a cluster's number, 0 for isolated MCs, else the segment's key."""
    return segment.key.removeprefix("Cluster_").replace("Isolated", "0")


def _add_nodes(scene, volume, prepared: Prepared, made: list) -> None:
    """Add the nodes one by one to `made`, so that the caller knows them when one fails."""

    def keep(node, kind: str, part: str | None = None) -> None:
        made.append(node)
        node.SetNodeReferenceID(SOURCE_ROLE, volume.GetID())
        node.SetAttribute(KIND, kind)
        if part is not None:
            node.SetAttribute(PART, part)
        if node.IsA("vtkMRMLTransformableNode"):
            node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())

    name, findings = volume.GetName(), prepared.findings
    segmentation = nodes.add_segmentation(scene, volume, findings, prepared.layer, f"{name} MCs")
    keep(segmentation, "segmentation")
    segmentation.SetAttribute(THRESHOLD, repr(float(findings.threshold)))
    segmentation.SetAttribute(MODEL, f"{findings.model_name} {findings.model_version}")
    parts = [None, *map(_part, segments(findings))]
    for part, (points, shown) in zip(parts, prepared.lists, strict=True):
        kind = "centres" if part is None else "points"
        keep(nodes.add_point_list(scene, points, shown), kind, part)
    clusters = nodes.add_table(scene, prepared.clusters, CLUSTER_COLUMNS, f"{name} clusters")
    keep(clusters, "clusters")
    mcs = nodes.add_table(scene, prepared.calcifications, CALCIFICATION_COLUMNS, f"{name} MC table")
    keep(mcs, "calcifications")
    if prepared.vascular is not None:
        groups = f"{name} vascular groups"
        keep(nodes.add_table(scene, prepared.vascular, VASCULAR_COLUMNS, groups), "vascular")
    if prepared.probability is not None:
        volume_name = f"{name} MC probability"
        keep(
            nodes.add_probability(scene, findings, prepared.probability, volume_name),
            "probability",
        )


def _folder(scene, volume, earlier: Results) -> int:
    if earlier.folder:
        return earlier.folder
    hierarchy = hierarchy_of(scene)
    # Where the volume is, such as under its patient's study.
    parent = hierarchy.GetItemParent(item_of(scene, volume)) or hierarchy.GetSceneItemID()
    return hierarchy.CreateFolderItem(parent, f"{volume.GetName()} microcalcifications")


def _folder_of(scene, results: Results) -> int:
    for node in results.nodes():
        hierarchy = hierarchy_of(scene)
        parent = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))
        if parent and parent != hierarchy.GetSceneItemID():
            return parent
    return 0


def _remove_empty_folder(scene, folder: int) -> None:
    hierarchy = hierarchy_of(scene)
    if folder and hierarchy.GetNumberOfItemChildren(folder) == 0:
        hierarchy.RemoveItem(folder, False, False)


def _results_in(scene) -> list:
    every = (scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes()))
    return [node for node in every if node.GetAttribute(KIND)]


def _display_count(node) -> int:
    return node.GetNumberOfDisplayNodes() if hasattr(node, "GetNumberOfDisplayNodes") else 0


def hierarchy_of(scene):
    """The scene's subject-hierarchy node, made when there is none."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
