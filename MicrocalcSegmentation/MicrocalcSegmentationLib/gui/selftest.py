"""What the module's self-test does, in Slicer and in continuous integration alike."""

from ..errors import InputError
from ..mrml.drawn import mask_of
from ..mrml.results import find_results, remove_nodes, remove_results
from ..mrml.sample import load_sample
from .detection import Detection


def run_self_test(scene, detection: Detection, tell) -> None:
    """Load the sample, detect, look at every result, detect again, tidy up.

    tell: called with a sentence for each step. Raises AssertionError where a result is wrong.
    """
    before = _nodes(scene)
    (volume,) = load_sample(scene)
    try:
        tell("Detecting in the simulated mammogram")
        results, findings = detection.segment(volume)
        _require(findings.clusters, "no cluster was found")
        _require((mask_of(results.segmentation, findings.mammogram) == findings.mask).all(), "mask")
        rows = results.clusters.GetTable().GetNumberOfRows()
        _require(rows == len(findings.clusters), "the table has another number of clusters")
        points = sum(node.GetNumberOfControlPoints() for node in results.points.values())
        _require(points == len(findings.calcifications), "the points are not the MCs")
        tell("Raising the threshold, in place of the first results")
        counted = len(_nodes(scene))
        _, fewer = detection.rethreshold(volume, (1 + findings.threshold) / 2)
        _require(0 < len(fewer.calcifications) < len(findings.calcifications), "the threshold")
        _require(len(_nodes(scene)) <= counted, "new results did not replace the first")
        tell("Refusing a volume without spacing")
        volume.SetSpacing(1.0, 1.0, 1.0)
        try:
            detection.segment(volume)
        except InputError as error:
            _require("enter the true spacing" in str(error), str(error))
        else:
            _require(False, "a volume without spacing was taken")
    finally:
        remove_results(scene, volume)
        remove_nodes(scene, [volume])
        detection.forget_closed()
    _require(find_results(scene, volume).nodes() == [], "results were left")
    # The hierarchy's own node may have been made meanwhile.
    _require(len(_nodes(scene) - before) <= 1, "nodes were left in the scene")
    tell("All passed")


def _nodes(scene) -> set[str]:
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}


def _require(holds: object, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
