"""The tables as CSV, and the rounded numbers that every text output shows."""

import csv
from pathlib import Path

import numpy as np

from ..findings import Findings
from ..geometry import Geometry

# Column -> decimals; None for whole numbers, TEXT for words. A pixel is some 0.05 mm: two
# decimals of a pixel or three of a millimetre are already below a micrometre.
TEXT = "text"
Columns = dict[str, int | str | None]
CALCIFICATION_COLUMNS: Columns = {
    "calcification": None,
    "cluster": None,
    "row": 2,
    "col": 2,
    "area_mm2": 4,
    "diameter_mm": 4,
    "mean_contrast": 3,
    "peak_contrast": 3,
    "probability": 5,
    "x_lps_mm": 4,
    "y_lps_mm": 4,
    "z_lps_mm": 4,
    "kind": TEXT,
    "vascular": None,
    "length_mm": 4,
    "width_mm": 4,
    "angle_deg": 1,
}
CLUSTER_COLUMNS: Columns = {
    "cluster": None,
    "count": None,
    "area_mm2": 3,
    "density_per_cm2": 2,
    "row": 2,
    "col": 2,
    "row_min": None,
    "row_max": None,
    "col_min": None,
    "col_max": None,
    "extent_mm": 3,
    "x_lps_mm": 4,
    "y_lps_mm": 4,
    "z_lps_mm": 4,
}

VASCULAR_COLUMNS: Columns = {
    "vascular" if name == "cluster" else name: decimals
    for name, decimals in CLUSTER_COLUMNS.items()
}

Row = dict[str, int | float | str]


def calcification_rows(findings: Findings) -> list[Row]:
    """One dict of `CALCIFICATION_COLUMNS` per MC, rounded."""
    geometry = findings.mammogram.geometry
    return [
        _rounded(mc, CALCIFICATION_COLUMNS, {"calcification": mc.number} | _place(mc, geometry))
        for mc in findings.calcifications
    ]


def cluster_rows(findings: Findings) -> list[Row]:
    """One dict of `CLUSTER_COLUMNS` per cluster, rounded."""
    geometry = findings.mammogram.geometry
    return [
        _rounded(cluster, CLUSTER_COLUMNS, {"cluster": cluster.number} | _place(cluster, geometry))
        for cluster in findings.clusters
    ]


def vascular_rows(findings: Findings) -> list[Row]:
    """One dict of `VASCULAR_COLUMNS` per vascular group, rounded."""
    geometry = findings.mammogram.geometry
    return [
        _rounded(one, VASCULAR_COLUMNS, {"vascular": one.number} | _place(one, geometry))
        for one in findings.vascular
    ]


def write_calcifications(findings: Findings, path: Path) -> None:
    """Write a UTF-8 CSV with a line per MC. Raises OSError."""
    _write_csv(path, CALCIFICATION_COLUMNS, calcification_rows(findings))


def write_clusters(findings: Findings, path: Path) -> None:
    """Write a UTF-8 CSV with a line per cluster. Raises OSError."""
    _write_csv(path, CLUSTER_COLUMNS, cluster_rows(findings))


def write_vascular(findings: Findings, path: Path) -> None:
    """Write a UTF-8 CSV with a line per vascular group. Raises OSError."""
    _write_csv(path, VASCULAR_COLUMNS, vascular_rows(findings))


def _place(item: object, geometry: Geometry) -> Row:
    position = geometry.position_lps(np.array([item.row, item.col]))
    return dict(zip(("x_lps_mm", "y_lps_mm", "z_lps_mm"), position.tolist(), strict=True))


def _rounded(item: object, columns: Columns, computed: Row) -> Row:
    """The named columns of `item`, which `computed` adds to or overrides.

    Numpy scalars become plain numbers, and -0.0 becomes 0.0.
    """
    row: Row = {}
    for name, decimals in columns.items():
        value = computed[name] if name in computed else getattr(item, name)
        if decimals == TEXT:
            row[name] = str(value)
        else:
            row[name] = int(value) if decimals is None else round(float(value), decimals) + 0.0
    return row


def _write_csv(path: Path, columns: Columns, rows: list[Row]) -> None:
    # Without a byte-order mark: all is ASCII, and pandas and R would see one as text.
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow(_text(row[name], decimals) for name, decimals in columns.items())


def _text(value: int | float | str, decimals: int | str | None) -> str:
    return str(value) if decimals is None or decimals == TEXT else f"{value:.{decimals}f}"
