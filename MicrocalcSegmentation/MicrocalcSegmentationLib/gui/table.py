"""The table of clusters as the panel shows it."""

import qt
from slicer.i18n import tr as _

# Column of the node -> title, and decimals for numbers.
_SHOWN = {
    "cluster": ("#", 0),
    "count": ("MCs", 0),
    "area_mm2": ("Area, mm²", 1),
    "density_per_cm2": ("per cm²", 0),
    "extent_mm": ("mm across", 1),
    "distribution": ("Distribution", None),
    "review": ("Review", None),
    "note": ("Note", None),
}


def fill_cluster_table(widget, node) -> None:
    """Show a table node of clusters in a QTableWidget; None shows no rows."""
    table = node.GetTable() if node is not None else None
    widget.setColumnCount(len(_SHOWN))
    widget.setHorizontalHeaderLabels([_(title) for title, _decimals in _SHOWN.values()])
    widget.setRowCount(table.GetNumberOfRows() if table is not None else 0)
    for row in range(table.GetNumberOfRows() if table is not None else 0):
        for col, (name, (_title, decimals)) in enumerate(_SHOWN.items()):
            value = table.GetValueByName(row, name)
            text = value.ToString() if decimals is None else f"{value.ToDouble():.{decimals}f}"
            widget.setItem(row, col, qt.QTableWidgetItem(text))
    for col in range(len(_SHOWN) - 1):  # the note has what the others leave
        widget.resizeColumnToContents(col)
