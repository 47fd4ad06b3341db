"""Python packages: what is missing, asked for, refused, installed, or not to be had."""

import subprocess
import sys
import types
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from MicrocalcSegmentationLib.errors import InputError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def install(stood_in, monkeypatch):
    from MicrocalcSegmentationLib.gui import install

    monkeypatch.delattr(stood_in, "packaging", raising=False)
    monkeypatch.delitem(sys.modules, "slicer.packaging", raising=False)
    return install


def without(*absent):
    def version_of(name):
        if name in absent:
            raise PackageNotFoundError(name)
        return "1.0"

    return version_of


def test_the_list_is_that_of_the_package(install):
    import tomllib  # Python 3.10, which these tests are not for, has none

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(install.REQUIREMENTS) == set(project["dependencies"])


def test_what_is_installed_in_any_version_is_left_alone(install):
    assert install.missing(without()) == []
    assert install.missing(without("scikit-image", "tqdm")) == ["scikit-image>=0.22", "tqdm>=4.64"]
    assert install.missing(without("onnxruntime")) == []  # onnxruntime-gpu is there
    everywhere = without("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")
    assert install.missing(everywhere) == ["onnxruntime>=1.19"]


@pytest.fixture
def slicer_with_packaging(install, stood_in, monkeypatch):
    """Slicer 5.12: a function (what pip_ensure does) -> calls of it."""
    monkeypatch.setattr(install, "missing", lambda: ["tqdm>=4.64"])

    def give(pip_ensure):
        calls = []

        def recorded(wanted, requester):
            calls.append((wanted, requester))
            pip_ensure()

        packaging = types.SimpleNamespace(pip_ensure=recorded)
        monkeypatch.setattr(stood_in, "packaging", packaging, raising=False)
        return calls

    return give


def test_slicer_is_asked_to_install_with_consent(install, slicer_with_packaging):
    calls = slicer_with_packaging(lambda: None)
    install.ensure_packages()
    assert calls == [(["tqdm>=4.64"], "Microcalcification Segmentation")]


def raising(error):
    def run():
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RuntimeError("User declined"), "not installed: tqdm; press Detect again"),
        (
            subprocess.CalledProcessError(1, "pip"),
            "tqdm could not be installed; check the network",
        ),
        (OSError("no pip"), "tqdm could not be installed; check the network"),
    ],
)
def test_refusal_and_failure_are_sentences(install, slicer_with_packaging, error, sentence):
    slicer_with_packaging(raising(error))
    with pytest.raises(InputError, match=sentence):
        install.ensure_packages()


@pytest.mark.parametrize("agreed", [True, False])
def test_older_slicer_is_asked_by_a_plain_question(install, stood_in, monkeypatch, agreed):
    installed, asked = [], []
    monkeypatch.setattr(install, "missing", lambda: ["tqdm>=4.64"])
    monkeypatch.setattr(
        stood_in.util, "confirmOkCancelDisplay", lambda text, _title: asked.append(text) or agreed
    )
    monkeypatch.setattr(stood_in.util, "pip_install", installed.append)
    if agreed:
        install.ensure_packages()
        assert installed == [["tqdm>=4.64"]]
    else:
        with pytest.raises(InputError, match="not installed: tqdm"):
            install.ensure_packages()
        assert installed == []
    assert "tqdm" in asked[0]


def test_nothing_is_asked_when_nothing_is_missing(install, monkeypatch):
    monkeypatch.setattr(install, "missing", lambda: [])
    monkeypatch.setattr(install, "_import_packaging", raising(AssertionError))
    install.ensure_packages()


BARE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import MicrocalcSegmentationLib.gui.detection, MicrocalcSegmentationLib.mrml.views
from MicrocalcSegmentationLib.model import load_model
load_model()
"""


def test_the_panel_opens_before_anything_is_installed(stood_in):
    # Slicer itself brings numpy, scipy, pydicom, Pillow and SimpleITK.
    names = ("onnxruntime", "keras", "skimage", "tqdm", "pylibjpeg", "jpeg_ls", "openjpeg", "rle")
    subprocess.run([sys.executable, "-c", BARE.format(names=names)], check=True, timeout=60)
