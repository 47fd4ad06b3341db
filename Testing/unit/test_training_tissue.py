import pytest
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.training.tissue import (
    DIGITAL_LEARNT_FROM,
    JUDGED_PATIENTS,
    held_out,
    held_out_images,
    training_backgrounds,
    training_tiles,
)

FREE = next(f"P_{n:05d}" for n in range(2000, 3000) if not held_out(f"P_{n:05d}"))
KEPT_BACK = next(f"P_{n:05d}" for n in range(2000, 3000) if held_out(f"P_{n:05d}"))


def write_index(folder, rows, seen=()):
    lines = ["tile,patient,also_in_calcification_set", *rows]
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    if seen:
        (folder / "seen.csv").write_text("\n".join(["tile,row", *seen]) + "\n")


def test_patients_kept_for_judging_are_never_learnt_from(tmp_path):
    judged = sorted(JUDGED_PATIENTS)[0]
    write_index(tmp_path, [f"a.png,{judged},0", f"b.png,{FREE},0", f"c.png,{KEPT_BACK},0"])
    assert training_tiles(tmp_path) == (tmp_path / "tiles" / "b.png",)


def test_all_tiles_of_a_patient_with_seen_calcifications_are_left_out(tmp_path):
    other = next(
        f"P_{n:05d}" for n in range(3000, 4000) if not held_out(f"P_{n:05d}") and n != 2000
    )
    write_index(tmp_path, [f"a.png,{FREE},0", f"b.png,{FREE},0", f"c.png,{other},0"], ["a.png,5"])
    assert training_tiles(tmp_path) == (tmp_path / "tiles" / "c.png",)


def test_a_folder_without_an_index_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no index\.csv"):
        training_tiles(tmp_path)


def test_a_folder_of_nothing_to_learn_from_is_refused(tmp_path):
    write_index(tmp_path, [f"a.png,{FREE},1"])
    with pytest.raises(InputError, match="no tile that training may use"):
        training_tiles(tmp_path)


def test_only_the_named_digital_mammograms_are_learnt_from(tmp_path):
    for name in (*DIGITAL_LEARNT_FROM, "sample_B2", "sample_C4", "sample_D2"):
        (tmp_path / f"{name}.jpg").touch()
    assert {path.stem for path in training_backgrounds(tmp_path)} == set(DIGITAL_LEARNT_FROM)


def test_a_folder_without_them_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds none of sample_A4"):
        training_backgrounds(tmp_path)


def test_what_is_held_out_and_what_is_learnt_from_have_no_patient_in_common(tmp_path):
    write_index(tmp_path, [f"a.png,{FREE},0", f"b.png,{KEPT_BACK},0", f"c.png,{KEPT_BACK},1"])
    assert held_out_images(tmp_path) == (tmp_path / "tiles" / "b.png",)
    assert not set(held_out_images(tmp_path)) & set(training_tiles(tmp_path))


def test_digital_mammograms_that_are_not_learnt_from_are_held_out(tmp_path):
    for name in (*DIGITAL_LEARNT_FROM, "sample_B2"):
        (tmp_path / f"{name}.jpg").touch()
    assert held_out_images(tmp_path) == (tmp_path / "sample_B2.jpg",)


def test_a_folder_of_neither_holds_nothing_out(tmp_path):
    with pytest.raises(InputError, match="neither CBIS-DDSM film tiles nor MONAI's"):
        held_out_images(tmp_path)
