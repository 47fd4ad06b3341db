"""`microcalc samples`: check, build, list, verify."""

import json
import re

import pytest
import SimpleITK as sitk
from MicrocalcSegmentationLib.cli import main


def test_the_command_checks_builds_lists_and_verifies(cases, tmp_path, capsys):
    output = tmp_path / "s.sqlite"
    assert main(["samples", "check", str(cases), "-q"]) == 0
    assert (
        main(["samples", "build", str(cases), "-o", str(output), "--workers", "1", "--json"]) == 0
    )
    listed = json.loads(capsys.readouterr().out)
    assert [image["name"] for image in listed["images"]] == [f"case{n}" for n in range(5)]
    assert {row["patch_side"] for row in listed["samples"]} == {29, 39, 49}
    assert main(["samples", "list", str(output)]) == 0
    assert re.search(r"^train +3 images +3 patients +\d+ MCs", capsys.readouterr().out)
    assert main(["samples", "verify", str(output)]) == 0
    assert capsys.readouterr().out == f"{output}: whole\n"
    next((tmp_path / "s.sqlite.cache").glob("*-labels.npy")).unlink()
    assert main(["samples", "verify", str(output)]) == 1
    (cases / "case1_mask.nrrd").unlink()
    assert main(["samples", "check", str(cases), "--json"]) == 1
    captured = capsys.readouterr()
    assert "microcalc: note: 4 of 4 images do not say whose they are" in captured.err
    assert len(json.loads(captured.out)["notes"]) == 1
    assert json.loads(captured.out)["problems"][0]["image"] == "case1"
    assert "microcalc: case1: case1.nrrd: no mask beside it; put" in captured.err


def test_a_spacing_can_be_given_to_one_of_several_sets(cases, tmp_path, write_breast, capsys):
    film = tmp_path / "film"
    write_breast(film, "silent", 8)
    for path in film.glob("*.nrrd"):
        image = sitk.ReadImage(str(path))
        image.SetSpacing((1.0, 1.0, 1.0))
        sitk.WriteImage(image, str(path))
    command = ["samples", "check", str(film), str(cases), "-q", "--spacing-mm"]
    assert main([*command, f"{film}=0.09"]) == 0
    assert main([*command, "0.09"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 5
    assert said[0].startswith("microcalc: case0: case0.nrrd: states a spacing of 0.1 x 0.1 mm")
    assert main([*command, "0.1", "--spacing-mm", f"{film}=0.09"]) == 0
    assert main([*command, "filn=0.09"]) == 1
    assert "--spacing-mm filn=...: no such SET; name one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--patch-sides", "48", "48 is no patch side"),
        ("--split", "1/2", "three numbers"),
        ("--layout", "dmid", "invalid choice"),
    ],
)
def test_wrong_usage_of_the_command_is_named(option, value, says, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["samples", "build", "x", "-o", "y", option, value])
    assert says in capsys.readouterr().err
