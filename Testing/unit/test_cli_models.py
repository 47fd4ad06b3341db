"""`microcalc models`: the shipped ones, and one's own."""

import json
import shutil

from MicrocalcSegmentationLib import load_model
from MicrocalcSegmentationLib.cli import main


def listed(capsys, *argv) -> str:
    assert main(["models", *map(str, argv)]) == 0
    return capsys.readouterr().out


def test_the_shipped_models_are_listed_and_one_is_the_default(capsys):
    said = listed(capsys)
    named = [line for line in said.splitlines() if not line.startswith(" ")]
    assert [line.endswith("(default)") for line in named] == [True, False, False]
    assert named[-1].startswith("arteries ")
    assert "{" not in said
    *pairs, arteries = json.loads(listed(capsys, "--json"))["models"]
    assert all(pair["detector_threshold"] > 0 for pair in pairs)
    assert arteries["detector_threshold"] is None


def test_a_model_of_ones_own_is_described_with_its_figures(capsys, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(load_model().folder, own)
    path = own / "manifest.json"
    manifest = json.loads(path.read_text()) | {"name": "own", "figures": {"mine": {"hits": 2 / 3}}}
    path.write_text(json.dumps(manifest))
    said = listed(capsys, own)
    assert said.startswith(f"own {load_model().version}\n")
    assert "  mine:\n    hits: 0.667\n" in said
    assert f"card: {own / 'card.md'}" in said
    (entry,) = json.loads(listed(capsys, own, "--json"))["models"]
    assert entry["figures"] == {"mine": {"hits": 2 / 3}}


def test_a_name_that_is_no_model_is_refused(capsys):
    assert main(["models", "nope"]) == 1
    assert "nope: no such model" in capsys.readouterr().err
    assert main(["models", "arteries"]) == 1
    assert "holds no detector and no segmentator" in capsys.readouterr().err


def test_figures_in_another_shape_are_listed_as_they_are(capsys, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(load_model().folder, own)
    path = own / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"figures": {"flat": 0.5}}))
    assert "  flat: 0.5\n" in listed(capsys, own)
