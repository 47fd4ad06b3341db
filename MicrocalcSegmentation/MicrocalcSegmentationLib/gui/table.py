"""The table of clusters as the panel shows it: of one image, or of all views of a study."""

from collections.abc import Sequence

import qt
from slicer.i18n import tr as _

# Column of the node -> title, and decimals for numbers; the view is the panel's own.
_VIEW = "view"
_SHOWN = {
    _VIEW: ("View", None),
    "cluster": ("#", 0),
    "count": ("MCs", 0),
    "area_mm2": ("mm²", 1),
    "density_per_cm2": ("per cm²", 0),
    "extent_mm": ("mm", 1),
    "distribution": ("Distribution", None),
    "review": ("Review", None),
    "note": ("Note", None),
}


def fill_cluster_table(widget, tables: Sequence[tuple[str, object]]) -> list[tuple[int, int]]:
    """Show table nodes of clusters, each with its view's name, in a QTableWidget.

    Returns of each row which table it is of, and the cluster's number. A table that is None
    has no rows; the view's column is shown where there are names.
    """
    rows = [
        (number, row)
        for number, (_name, node) in enumerate(tables)
        if node is not None
        for row in range(node.GetTable().GetNumberOfRows())
    ]
    widget.setColumnCount(len(_SHOWN))
    widget.setHorizontalHeaderLabels([_(title) for title, _decimals in _SHOWN.values()])
    widget.setColumnHidden(0, not any(name for name, _node in tables))
    widget.setRowCount(len(rows))
    clusters = []
    for shown, (number, row) in enumerate(rows):
        name, node = tables[number]
        for col, (column, (_title, decimals)) in enumerate(_SHOWN.items()):
            text = name if column == _VIEW else _text(node, row, column, decimals)
            widget.setItem(shown, col, qt.QTableWidgetItem(text))
        clusters.append((number, node.GetTable().GetValueByName(row, "cluster").ToInt()))
    for col in range(len(_SHOWN) - 1):  # the note has what the others leave
        widget.resizeColumnToContents(col)
    return clusters


def _text(node, row: int, column: str, decimals: int | None) -> str:
    value = node.GetTable().GetValueByName(row, column)
    return value.ToString() if decimals is None else f"{value.ToDouble():.{decimals}f}"
