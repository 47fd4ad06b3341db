"""`.mrk.json`: what the text says (Slicer's reading of it is tested in scene/)."""

import json

import numpy as np
from MicrocalcSegmentationLib.export.markups import write_markups
from MicrocalcSegmentationLib.geometry import Geometry


def written(findings, path):
    write_markups(findings, path)
    return json.loads(path.read_text(encoding="utf-8"))


def test_lists_are_the_centres_then_each_cluster_then_the_isolated(tmp_path, make_findings):
    lists = written(make_findings(), tmp_path / "a.mrk.json")["markups"]
    assert [markups["name"] for markups in lists] == [
        "Cluster centres",
        "Cluster 1 (6 MCs)",
        "Cluster 2 (7 MCs)",
        "Isolated (2 MCs)",
    ]
    assert [len(markups["controlPoints"]) for markups in lists] == [2, 6, 7, 2]


def test_every_mc_is_a_point_at_its_lps_position(tmp_path, make_findings):
    geometry = Geometry((0.2, 0.1), (5.0, 6.0, 7.0), ((0, 1, 0), (0, 0, -1), (-1, 0, 0)))
    lists = written(make_findings(geometry=geometry), tmp_path / "a.mrk.json")["markups"]
    assert {markups["coordinateSystem"] for markups in lists} == {"LPS"}
    # MC 2 is at (row 22, col 24): 2.4 mm along +y, 4.4 mm along -z.
    assert lists[1]["controlPoints"][1]["label"] == "MC 2"
    np.testing.assert_allclose(lists[1]["controlPoints"][1]["position"], (5.0, 8.4, 2.6))


def test_no_isolated_mcs_make_no_list(tmp_path, make_findings):
    lists = written(make_findings(isolated=[]), tmp_path / "a.mrk.json")["markups"]
    assert [markups["name"] for markups in lists][-1] == "Cluster 2 (7 MCs)"


def test_nothing_found_still_makes_a_file_with_a_list(tmp_path, make_findings):
    lists = written(make_findings({}, []), tmp_path / "a.mrk.json")["markups"]
    assert [(markups["name"], markups["controlPoints"]) for markups in lists] == [
        ("Cluster centres", [])
    ]
