from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.training.datasets import AnnotatedImage
from MicrocalcSegmentationLib.training.datasets.splits import assign_splits, split_problems


def image(patient, view="CC", split=None):
    name = f"{patient}-{view}"
    return AnnotatedImage(name, patient, "s", (Path(f"{name}.dcm"),), lambda: None, split=split)


def images(patients, views=("CC", "MLO")):
    return [image(f"P{number}", view) for number in range(patients) for view in views]


def test_images_are_divided_in_the_methods_proportion_by_patient():
    splits = assign_splits(images(283, ("CC",)))
    counts = {name: list(splits.values()).count(name) for name in ("train", "validation", "test")}
    assert counts == {"train": 231, "validation": 25, "test": 27}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 6), min_size=3, max_size=40), st.integers(0, 5))
def test_every_patient_has_one_split_near_its_share_whatever_the_order(views, seed):
    every = [image(f"P{n}", str(v)) for n, count in enumerate(views) for v in range(count)]
    splits = assign_splits(every, seed=seed)
    assert splits == assign_splits(every[::-1], seed=seed)
    assert set(splits) == {one.patient for one in every}
    have = dict.fromkeys(("train", "validation", "test"), 0)
    for one in every:
        have[splits[one.patient]] += 1
    for name, share in zip(have, (231, 25, 27), strict=True):
        assert have[name] <= len(every) * share / 283 + max(views)
    assert all(have.values())


def test_another_seed_divides_otherwise():
    assert assign_splits(images(40)) != assign_splits(images(40), seed=1)


def test_what_is_known_or_stated_stays():
    before = assign_splits(images(10))
    after = assign_splits(images(30), known=before)
    assert {patient: after[patient] for patient in before} == before
    stated = [image("Q", split="test"), image("Q", "MLO"), *images(10)]
    assert assign_splits(stated)["Q"] == "test"


def test_one_patient_in_two_splits_and_unknown_splits_are_found():
    wrong = [image("P", split="train"), image("P", "MLO", "test"), image("R", split="trian")]
    sentences = [str(problem) for problem in split_problems(wrong)]
    assert sentences == [
        "R-CC.dcm: split 'trian' is unknown; use one of: train, validation, test",
        "P-MLO.dcm: patient P is in 2 splits (P-CC in train, P-MLO in test); put all of a "
        "patient's images into one split",
    ]


@pytest.mark.parametrize("shares", [(1, 0, 0), (8, 1, 1)])
def test_other_shares_can_be_had(shares):
    splits = list(assign_splits(images(100, ("CC",)), shares).values())
    assert [splits.count(name) for name in ("train", "validation", "test")] == [
        100 * share // sum(shares) for share in shares
    ]
