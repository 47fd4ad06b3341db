"""What the reader says of each cluster, kept in the table of clusters, and so in the scene."""

from dataclasses import dataclass

from .nodes import FILL_OPACITY, segment_id
from .results import Results

ACCEPTED, REJECTED, UNDECIDED = "accepted", "rejected", ""
_SELECTED_FILL = 0.6  # the chosen cluster's, beside FILL_OPACITY of the others
_OTHERS_OPACITY = 0.35  # of points that are not the chosen cluster's
_BOX = ("row_min", "row_max", "col_min", "col_max")


@dataclass(frozen=True)
class Review:
    """state: "accepted", "rejected" or "". note: in the reader's own words."""

    state: str = UNDECIDED
    note: str = ""


@dataclass(frozen=True)
class Reviewed:
    """A cluster's review with its place, by which another run's cluster is known again.

    box: first and last row, first and last column.
    """

    cluster: int
    box: tuple[int, int, int, int]
    review: Review


def reviews_of(results: Results) -> list[Reviewed]:
    """One per row of the table of clusters; [] where there is none."""
    if results.clusters is None:
        return []
    table = results.clusters.GetTable()
    return [
        Reviewed(
            cluster=table.GetValueByName(row, "cluster").ToInt(),
            box=tuple(table.GetValueByName(row, name).ToInt() for name in _BOX),
            review=Review(
                table.GetValueByName(row, "review").ToString(),
                table.GetValueByName(row, "note").ToString(),
            ),
        )
        for row in range(table.GetNumberOfRows())
    ]


def set_review(results: Results, cluster: int, review: Review) -> None:
    """Write a review into the table; what is rejected is hidden from the views."""
    if results.clusters is None:
        return
    table = results.clusters.GetTable()
    for row in range(table.GetNumberOfRows()):
        if table.GetValueByName(row, "cluster").ToInt() == cluster:
            table.GetColumnByName("review").SetValue(row, review.state)
            table.GetColumnByName("note").SetValue(row, review.note)
            table.Modified()
            results.clusters.Modified()
    shown = review.state != REJECTED
    if results.segmentation is not None:
        display = results.segmentation.GetDisplayNode()
        display.SetSegmentVisibility(segment_id(cluster), shown)
    if cluster in results.points:
        results.points[cluster].GetDisplayNode().SetVisibility(shown)


def carry_over(earlier: list[Reviewed], results: Results) -> None:
    """Give each cluster the review of the one that covered most of its place before."""
    reviewed = [one for one in earlier if one.review != Review()]
    for cluster in reviews_of(results):
        best = max(reviewed, key=lambda one: _shared(one.box, cluster.box), default=None)
        if best is not None and _shared(best.box, cluster.box) > 0:
            set_review(results, cluster.cluster, best.review)


def _shared(first: tuple, second: tuple) -> int:
    """Pixels that two boxes have in common."""
    rows = min(first[1], second[1]) - max(first[0], second[0]) + 1
    cols = min(first[3], second[3]) - max(first[2], second[2]) + 1
    return max(0, rows) * max(0, cols)


def highlight(results: Results, cluster: int | None) -> None:
    """Make one cluster stand out in the views; None makes all alike."""
    if results.segmentation is not None:
        display = results.segmentation.GetDisplayNode()
        segmentation = results.segmentation.GetSegmentation()
        for index in range(segmentation.GetNumberOfSegments()):
            own = segmentation.GetNthSegmentID(index)
            chosen = cluster is not None and own == segment_id(cluster)
            # Per segment it is a factor of the node's own opacity.
            display.SetSegmentOpacity2DFill(own, _SELECTED_FILL / FILL_OPACITY if chosen else 1.0)
    for part, points in results.points.items():
        dim = cluster is not None and part != cluster
        points.GetDisplayNode().SetOpacity(_OTHERS_OPACITY if dim else 1.0)
