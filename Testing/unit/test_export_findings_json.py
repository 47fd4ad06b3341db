"""`findings.json` and its schema."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from MicrocalcSegmentationLib import __version__
from MicrocalcSegmentationLib.export.findings_json import (
    SCHEMA_PATH,
    SCHEMA_VERSION,
    findings_document,
    write_findings_json,
)
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Source


@pytest.fixture(scope="module")
def schema():
    return json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))


def undescribed(value, schema, path="findings"):
    """Paths of the fields in `value` that the schema does not describe."""
    if isinstance(value, dict) and "properties" in schema:
        for name, item in value.items():
            if not schema["properties"].get(name, {}).get("description"):
                yield f"{path}.{name}"
            yield from undescribed(item, schema["properties"].get(name, {}), f"{path}.{name}")
    elif isinstance(value, list) and "items" in schema:
        for item in value:
            yield from undescribed(item, schema["items"], f"{path}[]")


@pytest.mark.parametrize("case", ["clusters", "isolated only", "nothing", "in memory"])
def test_written_file_obeys_the_schema(tmp_path, make_findings, schema, case):
    findings = {
        "clusters": lambda: make_findings(),
        "isolated only": lambda: make_findings({}, [(10, 10)]),
        "nothing": lambda: make_findings({}, []),
        "in memory": lambda: make_findings(source=Source("Volume"), view=None, laterality=None),
    }[case]()
    write_findings_json(findings, tmp_path / "findings.json")
    document = json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)


def test_every_field_is_described_in_the_schema(make_findings, schema):
    assert list(undescribed(findings_document(make_findings()), schema)) == []


def test_schema_and_code_are_of_one_version(schema):
    assert schema["$id"].endswith(f":{SCHEMA_VERSION}")


def test_document_says_what_was_found_where_and_by_what(make_findings):
    source = Source("a.dcm", "/somewhere/private/a.dcm", {"SOPInstanceUID": "1.2.3"}, "user")
    geometry = Geometry((0.1, 0.08), (1.0, 2.0, 3.0))
    findings = make_findings(source=source, geometry=geometry, magnification=1.6)
    document = findings_document(findings)
    assert document["software"]["version"] == __version__
    assert document["model"] == {"name": "test model", "version": "1.2", "arteries": "vessels 3"}
    assert (document["threshold"], document["detector_threshold"]) == (0.9, 0.5)
    assert document["settings"]["threshold"] is None
    assert document["odds_divisor"] == 1
    assert document["counts"] == {
        "calcifications": 15,
        "isolated": 2,
        "clusters": 2,
        "coarse": 0,
        "vascular": 0,
    }
    assert document["source"]["dicom"] == {"SOPInstanceUID": "1.2.3"}
    image = document["image"]
    assert (image["rows"], image["cols"]) == findings.mammogram.pixels.shape
    assert image["spacing_mm"] == pytest.approx([0.1 / 1.6, 0.08 / 1.6])
    assert image["geometry"]["spacing_mm"] == [0.1, 0.08]
    assert image["geometry"]["origin_lps_mm"] == [1.0, 2.0, 3.0]
    assert image["spacing_from"] == "user"
    breast_mm2 = findings.breast.sum() * 0.1 * 0.08 / 1.6**2
    assert document["areas_cm2"]["breast"] == pytest.approx(breast_mm2 / 100, abs=1e-4)
    outline = document["clusters"][1]["outline_rc"]
    assert outline == findings.clusters[1].outline_rc.tolist()


def test_folders_of_the_source_are_not_given_away(tmp_path, make_findings):
    write_findings_json(make_findings(), tmp_path / "findings.json")
    text = (tmp_path / "findings.json").read_text(encoding="utf-8")
    assert "film 1.dcm" in text
    assert "private" not in text


def test_numpy_numbers_are_written_as_plain_ones(tmp_path, make_findings):
    findings = make_findings()
    first = replace(
        findings.calcifications[0], number=np.int32(1), row=np.float32(20), area_mm2=np.float64(0.5)
    )
    findings = replace(
        findings,
        calcifications=(first, *findings.calcifications[1:]),
        threshold=np.float32(0.5),
    )
    write_findings_json(findings, tmp_path / "findings.json")
    document = json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))
    assert document["calcifications"][0]["area_mm2"] == 0.5


def test_a_number_that_is_not_finite_is_refused(tmp_path, make_findings):
    findings = make_findings()
    broken = replace(findings.calcifications[0], mean_contrast=float("nan"))
    findings = replace(findings, calcifications=(broken, *findings.calcifications[1:]))
    with pytest.raises(ValueError, match="JSON"):
        write_findings_json(findings, tmp_path / "findings.json")
