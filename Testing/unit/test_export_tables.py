"""`calcifications.csv` and `clusters.csv`."""

import csv
from pathlib import Path

import numpy as np
import pytest
from MicrocalcSegmentationLib.export.tables import (
    CALCIFICATION_COLUMNS,
    CLUSTER_COLUMNS,
    write_calcifications,
    write_clusters,
)
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Source

# The columns that scripts of users rely on; later ones may be added after them.
CALCIFICATIONS = (
    "calcification,cluster,row,col,area_mm2,diameter_mm,mean_contrast,peak_contrast,probability"
)
CLUSTERS = "cluster,count,area_mm2,density_per_cm2,row,col,row_min,row_max,col_min,col_max"


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_columns_begin_with_the_stable_ones(tmp_path, make_findings):
    write_calcifications(make_findings(), tmp_path / "a.csv")
    write_clusters(make_findings(), tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_text().startswith(CALCIFICATIONS + ",")
    assert (tmp_path / "b.csv").read_text().startswith(CLUSTERS + ",")


def test_calcifications_carry_their_numbers(tmp_path, make_findings):
    findings = make_findings(geometry=Geometry((0.2, 0.1), (1.0, -2.0, 3.0)))
    write_calcifications(findings, tmp_path / "a.csv")
    rows = read(tmp_path / "a.csv")
    assert [row["cluster"] for row in rows] == ["1"] * 6 + ["2"] * 7 + ["0"] * 2
    second = rows[1]
    assert (second["calcification"], second["row"], second["col"]) == ("2", "22.00", "24.00")
    assert float(second["area_mm2"]) == pytest.approx(9 * 0.02)
    assert float(second["diameter_mm"]) == pytest.approx(2 * np.sqrt(0.18 / np.pi), abs=1e-4)
    assert (second["mean_contrast"], second["peak_contrast"]) == ("3.250", "5.500")
    assert float(second["probability"]) == 0.975
    lps = [float(second[name]) for name in ("x_lps_mm", "y_lps_mm", "z_lps_mm")]
    assert lps == pytest.approx([1.0 + 24 * 0.1, -2.0 + 22 * 0.2, 3.0])


def test_clusters_carry_their_numbers(tmp_path, make_findings):
    write_clusters(make_findings(), tmp_path / "b.csv")
    first = read(tmp_path / "b.csv")[0]
    assert (first["cluster"], first["count"]) == ("1", "6")
    limits = [first[name] for name in ("row_min", "row_max", "col_min", "col_max")]
    assert limits == ["19", "39", "14", "32"]
    assert float(first["area_mm2"]) == pytest.approx(2.0 * 1.8)
    assert float(first["density_per_cm2"]) == pytest.approx(600 / 3.6, abs=0.01)
    assert float(first["extent_mm"]) == pytest.approx(np.hypot(2.0, 1.8), abs=1e-3)


def test_areas_are_those_in_the_breast_and_positions_those_of_the_file(tmp_path, make_findings):
    magnified = make_findings(geometry=Geometry((0.1, 0.1)), magnification=2.0)
    write_calcifications(magnified, tmp_path / "a.csv")
    row = read(tmp_path / "a.csv")[1]
    assert float(row["area_mm2"]) == pytest.approx(9 * 0.05**2)
    assert float(row["x_lps_mm"]) == pytest.approx(2.4)


def test_header_is_there_when_nothing_was_found(tmp_path, make_findings):
    write_calcifications(make_findings({}, []), tmp_path / "a.csv")
    write_clusters(make_findings({}, []), tmp_path / "b.csv")
    assert read(tmp_path / "a.csv") == read(tmp_path / "b.csv") == []
    assert (tmp_path / "a.csv").read_text().startswith(CALCIFICATIONS)
    assert (tmp_path / "b.csv").read_text().startswith(CLUSTERS)


def test_same_findings_give_the_same_bytes(tmp_path, make_findings):
    source = Source("füm.png")
    for name in ("a.csv", "b.csv"):
        write_calcifications(make_findings(source=source), tmp_path / name)
    content = (tmp_path / "a.csv").read_bytes()
    assert content == (tmp_path / "b.csv").read_bytes()
    assert b"\r" not in content


def test_every_column_is_explained_in_the_documentation():
    text = (Path(__file__).parents[2] / "Resources" / "Formats.md").read_text(encoding="utf-8")
    for section, columns in (
        ("## calcifications.csv", CALCIFICATION_COLUMNS),
        ("## clusters.csv", CLUSTER_COLUMNS),
        ("## vascular.csv", ["vascular"]),
    ):
        table = text.split(section)[1].split("\n## ")[0]
        assert [name for name in columns if f"`{name}`" not in table] == []
