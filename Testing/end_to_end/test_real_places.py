"""The shipped pair on real places of real films: see Testing/data/film/README.md."""

import json
from pathlib import Path

import pytest

FILMS = Path(__file__).parents[1] / "data" / "film"


@pytest.fixture(scope="module")
def found(microcalc, tmp_path_factory):
    """Name of a crop -> its findings."""
    output = tmp_path_factory.mktemp("places")
    crops = sorted(FILMS.glob("*.png"))
    assert len(crops) == 6
    done = microcalc("segment", *crops, "--spacing-mm", "0.045", "--output", output, "--quiet")
    assert done.returncode == 0, done.stderr
    return {
        crop.stem: json.loads((output / crop.stem / "findings.json").read_text()) for crop in crops
    }


@pytest.mark.parametrize("name", ["cluster_fine", "cluster_amorphous"])
def test_a_real_cluster_is_reported_as_one(found, name):
    assert len(found[name]["clusters"]) == 1
    assert found[name]["vascular"] == []


@pytest.mark.parametrize(("name", "plaques"), [("vascular", 15), ("vascular_wide", 8)])
def test_a_calcified_artery_is_reported_as_vascular_and_as_no_cluster(found, name, plaques):
    assert found[name]["clusters"] == []
    assert found[name]["vascular"][0]["count"] >= plaques


@pytest.mark.parametrize("name", ["fibre", "knot"])
def test_what_lay_on_the_film_is_nothing(found, name):
    assert found[name]["clusters"] == []
    assert found[name]["vascular"] == []
