"""All outputs of one image appear together, or not at all."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.export import file_stem, write_findings
from MicrocalcSegmentationLib.export.staging import write_all
from MicrocalcSegmentationLib.mammogram import Source

NAMES = [
    "calcifications.csv",
    "clusters.csv",
    "film 1.mrk.json",
    "film 1.seg.nrrd",
    "findings.json",
    "overlay.png",
    "vascular.csv",
]


def content(folder):
    """Name -> bytes of everything in the folder, folders included."""
    return {path.name: path.is_file() and path.read_bytes() for path in Path(folder).iterdir()}


def writes(text):
    return lambda path: path.write_text(text)


def fails(error):
    def write(path):
        path.write_text("half")
        raise error

    return write


def test_every_output_is_written_into_the_folder_and_nothing_else(tmp_path, make_findings):
    folder = tmp_path / "deep" / "er"
    written = write_findings(make_findings(), folder)
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    assert sorted(path.name for path in written.values()) == NAMES
    assert set(written) == {
        "json",
        "calcifications",
        "clusters",
        "vascular",
        "segmentation",
        "markups",
        "overlay",
    }
    assert all(path.stat().st_size > 0 for path in written.values())


def test_earlier_results_are_replaced_and_other_files_left_alone(tmp_path, make_findings):
    write_findings(make_findings(), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    write_findings(make_findings({}, []), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*NAMES, "notes.txt"])
    document = json.loads((tmp_path / "findings.json").read_text())
    assert document["counts"]["calcifications"] == 0


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("1-282.dcm", "1-282"),
        ("Röntgen 頭 1.DCM", "Röntgen 頭 1"),
        ("scan.nii.gz", "scan"),
        ("volume 1.5", "volume 1.5"),
        ("2: R/L \\ a?", "2_ R_L _ a_"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("con.dcm", "_con"),
        ("nul.dcm.x", "_nul.dcm.x"),
        (" . ", "image"),
        ("", "image"),
        (".dcm", "image"),
        ("a\nb\x00c", "a_b_c"),
    ],
)
def test_stem_is_a_safe_beginning_of_a_file_name(name, stem):
    assert file_stem(name) == stem


def test_long_names_leave_room_for_suffixes(tmp_path, make_findings):
    findings = make_findings(source=Source("頭" * 300 + ".dcm"))
    written = write_findings(findings, tmp_path / "out")
    assert len(written["segmentation"].name.encode()) <= 255
    assert written["segmentation"].exists()


def test_names_with_spaces_and_letters_of_any_script_are_written(tmp_path, make_findings):
    folder = tmp_path / "sœur 頭 результат"
    written = write_findings(make_findings(source=Source("œ 頭 п.dcm")), folder)
    assert written["segmentation"] == folder / "œ 頭 п.seg.nrrd"
    assert written["segmentation"].exists()
    document = json.loads(written["json"].read_text(encoding="utf-8"))
    assert document["source"]["name"] == "œ 頭 п.dcm"


def test_given_stem_names_the_files(tmp_path, make_findings):
    written = write_findings(make_findings(), tmp_path, stem="patient/7")
    assert written["markups"] == tmp_path / "patient_7.mrk.json"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space"), KeyboardInterrupt()])
def test_failure_in_a_new_folder_leaves_nothing_behind(tmp_path, error):
    expected = InputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_all(tmp_path / "a" / "b", {"x": writes("whole"), "y": fails(error)})
    assert content(tmp_path) == {}


def test_failure_in_an_old_folder_leaves_it_as_it_was(tmp_path):
    (tmp_path / "x").write_text("earlier")
    (tmp_path / "other").write_text("mine")
    before = content(tmp_path)
    with pytest.raises(InputError):
        write_all(tmp_path, {"x": writes("new"), "y": fails(OSError(errno.ENOSPC, "No space"))})
    assert content(tmp_path) == before


def test_file_that_cannot_be_replaced_brings_the_others_back(tmp_path):
    (tmp_path / "x").write_text("earlier")
    (tmp_path / "z").mkdir()  # stands in the way of a file, as a table open on Windows does
    before = content(tmp_path)
    with pytest.raises(InputError, match="collide"):
        write_all(tmp_path, {"x": writes("new"), "y": writes("new"), "z": writes("new")})
    assert content(tmp_path) == before


def test_full_disk_is_said_in_one_sentence(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(InputError) as caught:
        write_all(out, {"x": fails(OSError(errno.ENOSPC, "No space left on device"))})
    assert str(caught.value) == (
        f"{out}: cannot write the results; the disk is full: "
        "free some space, or choose a folder on another disk"
    )


def test_file_in_place_of_the_folder_is_said_in_one_sentence(tmp_path, make_findings):
    (tmp_path / "out").write_text("a file")
    for folder in (tmp_path / "out", tmp_path / "out" / "image"):
        with pytest.raises(InputError) as caught:
            write_findings(make_findings({}, []), folder)
        assert str(caught.value).startswith(f"{folder}: cannot write the results; ")
        assert str(caught.value).endswith("choose another output folder")
    assert content(tmp_path) == {"out": b"a file"}


def test_folder_without_permission_is_said_in_one_sentence(tmp_path, monkeypatch):
    # Refused by the file system itself where the tests do not run as root, who may write
    # everywhere; refused by a stand-in there.
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(stat.S_IRUSR | stat.S_IXUSR)
    if os.access(closed, os.W_OK):
        refuse = PermissionError(errno.EACCES, "Permission denied")
        monkeypatch.setattr(Path, "mkdir", lambda *args, **kwargs: raise_(refuse))
    with pytest.raises(InputError) as caught:
        write_all(closed / "out", {"x": writes("new")})
    monkeypatch.undo()
    closed.chmod(stat.S_IRWXU)
    assert str(caught.value) == (
        f"{closed / 'out'}: cannot write the results; not allowed to write there: "
        "choose another output folder, or close programs that have these files open"
    )
    assert content(closed) == {}


def raise_(error):
    raise error


def test_folder_gets_the_permissions_of_any_other_new_folder(tmp_path, make_findings):
    write_findings(make_findings({}, []), tmp_path / "out")
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_error_of_the_program_itself_is_not_blamed_on_the_folder(tmp_path):
    with pytest.raises(ZeroDivisionError):
        write_all(tmp_path / "out", {"x": fails(ZeroDivisionError())})
    assert content(tmp_path) == {}
