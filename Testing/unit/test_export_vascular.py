"""Coarse calcifications and vascular groups are the same in every file, and no cluster."""

import csv
import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from MicrocalcSegmentationLib.export import write_findings
from MicrocalcSegmentationLib.export.findings_json import SCHEMA_PATH
from MicrocalcSegmentationLib.export.overlay import draw_overlay
from MicrocalcSegmentationLib.export.segments import VASCULAR_COLOUR, segment_map, segments


@pytest.fixture
def findings(make_findings):
    """Cluster 1 as it is; cluster 2 along a vessel; one of two isolated ones coarse."""
    made = make_findings()
    one, two = made.clusters
    mcs = [
        replace(mc, cluster=0, vascular=1, kind="vascular") if mc.cluster == 2 else mc
        for mc in made.calcifications
    ]
    mcs[-1] = replace(mcs[-1], kind="large round")
    vessel = replace(two, number=1)
    return replace(made, calcifications=tuple(mcs), clusters=(one,), vascular=(vessel,))


def test_segments_come_as_clusters_isolated_coarse_vascular_and_hold_their_pixels(findings):
    found = segments(findings)
    assert [(one.value, one.key, one.count) for one in found] == [
        (1, "Cluster_1", 6),
        (2, "Isolated", 1),
        (3, "Coarse", 1),
        (4, "Vascular_1", 7),
    ]
    assert found[3].name == "Vascular 1 (7 MCs)"
    assert found[3].colour == VASCULAR_COLOUR
    assert np.bincount(segment_map(findings).ravel())[1:].tolist() == [54, 9, 9, 63]


def test_tables_json_and_points_agree(findings, tmp_path):
    files = write_findings(findings, tmp_path)
    document = json.loads(files["json"].read_text("utf-8"))
    jsonschema.validate(document, json.loads(SCHEMA_PATH.read_text("utf-8")))
    assert document["counts"] == {
        "calcifications": 15,
        "isolated": 1,
        "clusters": 1,
        "coarse": 1,
        "vascular": 1,
    }
    (vessel,) = document["vascular"]
    with files["vascular"].open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["vascular"], line["count"]) == ("1", "7")
    assert float(line["area_mm2"]) == pytest.approx(vessel["area_mm2"])
    with files["clusters"].open(newline="") as file:
        assert [row["cluster"] for row in csv.DictReader(file)] == ["1"]
    with files["calcifications"].open(newline="") as file:
        kinds = [row["kind"] for row in csv.DictReader(file)]
    assert kinds == [mc["kind"] for mc in document["calcifications"]]
    assert kinds.count("vascular") == 7
    lists = json.loads(files["markups"].read_text("utf-8"))["markups"]
    assert [len(one["controlPoints"]) for one in lists] == [1, 6, 1, 1, 7]
    assert lists[-1]["name"] == "Vascular 1 (7 MCs)"


def test_a_file_of_version_1_0_obeys_the_schema_still(findings, tmp_path):
    document = json.loads(write_findings(findings, tmp_path)["json"].read_text("utf-8"))
    del document["vascular"], document["counts"]["coarse"], document["counts"]["vascular"]
    for mc in document["calcifications"]:
        for name in ("kind", "vascular", "length_mm", "width_mm", "angle_deg"):
            del mc[name]
    document["schema_version"] = "1.0"
    jsonschema.validate(document, json.loads(SCHEMA_PATH.read_text("utf-8")))


def test_a_vessel_is_outlined_in_its_own_colour(findings):
    crimson = tuple(round(255 * channel) for channel in VASCULAR_COLOUR)

    def has_crimson(shown):
        return bool((np.asarray(draw_overlay(shown)) == crimson).all(axis=-1).any())

    assert has_crimson(findings)
    plain = tuple(mc for mc in findings.calcifications if not mc.vascular)
    assert not has_crimson(replace(findings, vascular=(), calcifications=plain))
