"""Python packages: what is missing, asked for, refused, installed, cancelled and removed again."""

import json
import re
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from MicrocalcSegmentationLib.errors import InputError

ROOT = Path(__file__).parents[2]
# What pip does is told by a package's name; what is installed are the lines of a file.
PIP = """
import sys, time
from pathlib import Path
site = Path(sys.argv[1]); what, arguments = sys.argv[2], sys.argv[3:]
there = site.read_text().split()
wanted = [one.split(">")[0] for one in arguments if not one.startswith("-")]
if what == "install":
    constraints = Path(arguments[arguments.index("--constraint") + 1])
    assert constraints.read_text().startswith("numpy==1.26\\n"), constraints.read_text()
    wanted = wanted[2:]  # after the values of two options
    for one in wanted:
        print("Collecting", one, flush=True)
        if one == "offline":
            sys.exit("ERROR: No matching distribution found for offline")
        if one == "conflict":
            sys.exit("ERROR: ResolutionImpossible")
    print("Installing collected packages", flush=True)
    site.write_text(" ".join([*there, *wanted, "brought-along"]))
    if "slow" in wanted:
        time.sleep(30)
    if "half" in wanted:
        sys.exit("ERROR: disk full")
else:
    site.write_text(" ".join(one for one in there if one not in wanted))
"""


@pytest.fixture
def install(stood_in):
    from MicrocalcSegmentationLib.gui import install

    return install


@pytest.fixture
def site(tmp_path):
    path = tmp_path / "site.txt"
    path.write_text("numpy")
    return path


@pytest.fixture
def packages(install, tmp_path, site):
    script = tmp_path / "pip.py"
    script.write_text(PIP)
    made = install.Packages(
        [sys.executable, str(script), str(site)],
        tmp_path,
        lambda: dict.fromkeys(site.read_text().split(), "1.26"),
    )
    yield made
    made.close()


def outcome_of(packages, until="end", seconds=20.0):
    end, told = time.monotonic() + seconds, []
    while time.monotonic() < end:
        if outcome := packages.poll():
            told.append(outcome)
            if outcome.kind != "progress" or outcome.text.startswith(until):
                return outcome
        time.sleep(0.01)
    raise AssertionError(f"no end within {seconds} s: {told}")


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
    assert "keras>=3.6" in install.KERAS_REQUIREMENTS
    assert "keras>=3.6" in project["optional-dependencies"]["cpu"]


def test_what_is_installed_in_any_version_is_left_alone(install):
    assert install.missing("auto", without()) == []
    some = without("scikit-image", "tqdm", "keras")
    assert install.missing("auto", some) == ["scikit-image>=0.22", "tqdm>=4.64"]
    assert install.missing("auto", without("onnxruntime")) == []  # onnxruntime-gpu is there
    everywhere = without("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")
    assert install.missing("auto", everywhere) == ["onnxruntime>=1.19"]


def test_tensorflow_is_wanted_by_its_engine_alone(install):
    bare = without("keras", "tensorflow", "tensorflow-cpu")
    assert install.missing("onnx", bare) == []
    assert install.missing("keras", bare) == ["keras>=3.6", "tensorflow>=2.18"]


def test_the_console_is_told_how_to_install(install, monkeypatch):
    monkeypatch.setattr(install, "missing", lambda _engine: ["tqdm>=4.64"])
    with pytest.raises(InputError, match=r"not installed: tqdm; .*pip_install\(\['tqdm>=4.64'\]\)"):
        install.require_packages()


def test_installing_tells_how_far_it_is_and_leaves_what_is_there(packages, site):
    packages.start_install(["tqdm>=4.64", "onnxruntime>=1.19"])
    assert packages.running
    outcome = outcome_of(packages)
    assert (outcome.kind, outcome.text) == ("done", "installed: tqdm, onnxruntime")
    assert not packages.running
    assert site.read_text().split() == ["numpy", "tqdm", "onnxruntime", "brought-along"]


def test_what_was_installed_can_be_removed_in_a_later_session(install, packages, site, tmp_path):
    packages.start_install(["tqdm>=4.64"])
    outcome_of(packages)
    later = install.Packages(packages._pip, tmp_path, packages._versions)
    assert later.installed_by_us() == ["tqdm", "brought-along"]
    later.start_removal()
    outcome = outcome_of(later)
    assert (outcome.kind, outcome.text) == ("done", "removed: tqdm, brought-along")
    assert site.read_text() == "numpy"
    assert later.installed_by_us() == []


def test_two_installations_are_both_noted(packages, tmp_path):
    for name in ("tqdm>=4.64", "keras>=3.6"):
        packages.start_install([name])
        outcome_of(packages)
    noted = json.loads(next(tmp_path.glob("*-installed.json")).read_text())
    assert noted == ["tqdm", "brought-along", "keras"]


def test_cancelling_takes_back_what_was_installed_so_far(packages, site):
    packages.start_install(["slow"])
    outcome_of(packages, until="Installing")
    while "slow" not in site.read_text():
        time.sleep(0.01)
    began = time.monotonic()
    packages.cancel()
    outcome = outcome_of(packages)
    assert (outcome.kind, outcome.text) == ("cancelled", "cancelled; nothing was installed")
    assert time.monotonic() - began < 5
    assert site.read_text() == "numpy"
    assert packages.installed_by_us() == []


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("offline", "offline could not be installed: no connection .*Troubleshooting"),
        ("conflict", "conflict could not be installed: they do not fit packages that Slicer has"),
        ("half", "half could not be installed; see Slicer's log, then press Detect again"),
    ],
)
def test_a_failure_is_a_sentence_and_leaves_nothing_half_installed(
    packages, site, wanted, sentence
):
    packages.start_install([wanted])
    outcome = outcome_of(packages)
    assert outcome.kind == "failed"
    assert re.match(sentence, outcome.text)
    assert site.read_text() == "numpy"


def test_pip_that_cannot_be_run_is_a_sentence(install, tmp_path):
    packages = install.Packages([str(tmp_path / "no pip")], tmp_path, dict)
    with pytest.raises(InputError, match="pip cannot be run"):
        packages.start_install(["tqdm>=4.64"])
    assert not packages.running


def test_the_real_pip_is_asked_in_a_way_it_understands(install, tmp_path):
    """Without an index it cannot but say that nothing matches."""
    packages = install.Packages([sys.executable, "-m", "pip"], tmp_path)
    packages.start_install(["--no-index", "no-such-package-here>=1.0"])
    outcome = outcome_of(packages, seconds=60)
    assert outcome.kind == "failed"
    assert "no connection to the package index" in outcome.text


BARE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import MicrocalcSegmentationLib.gui.detection, MicrocalcSegmentationLib.gui.install
import MicrocalcSegmentationLib.mrml.hanging, MicrocalcSegmentationLib.mrml.study
import MicrocalcSegmentationLib.mrml.sample, MicrocalcSegmentationLib.mrml.views
from MicrocalcSegmentationLib.model import load_model
load_model()
"""


def test_the_panel_opens_before_anything_is_installed(stood_in):
    # Slicer itself brings numpy, scipy, pydicom, Pillow and SimpleITK.
    names = ("onnxruntime", "keras", "skimage", "tqdm", "pylibjpeg", "jpeg_ls", "openjpeg", "rle")
    subprocess.run([sys.executable, "-c", BARE.format(names=names)], check=True, timeout=60)
