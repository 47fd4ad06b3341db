"""The Python packages that the networks need: what is missing, and installing it with consent."""

import importlib.metadata
import logging
import subprocess

import slicer

from ..errors import InputError

# As pyproject.toml has them (a test compares); Slicer brings the others itself.
REQUIREMENTS = (
    "numpy>=1.26",
    "onnxruntime>=1.19",
    "pillow>=10.1",
    "pydicom>=2.4",
    "pyjpegls>=1.2",
    "pylibjpeg>=2.0",
    "pylibjpeg-libjpeg>=2.1",
    "pylibjpeg-openjpeg>=2.0",
    "pylibjpeg-rle>=2.0",
    "scikit-image>=0.22",
    "scipy>=1.11",
    "SimpleITK>=2.3",
    "tqdm>=4.64",
)
REQUESTER = "Microcalcification Segmentation"
_ALTERNATIVES = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"),
}

_log = logging.getLogger(__name__)


def missing(version_of=importlib.metadata.version) -> list[str]:
    """Requirements of which no version at all is installed.

    Another version than asked for is left alone: pip would change it under Slicer's feet.
    """
    return [one for one in REQUIREMENTS if not _is_there(_name(one), version_of)]


def ensure_packages() -> None:
    """Install what is missing, after asking. Raises InputError when refused or failed."""
    wanted = missing()
    if not wanted:
        return
    listed = ", ".join(_name(one) for one in wanted)
    try:
        if hasattr(slicer, "packaging") or _import_packaging():
            slicer.packaging.pip_ensure(wanted, requester=REQUESTER)
        else:
            _install_in_old_slicer(wanted, listed)
    except RuntimeError as error:  # how pip_ensure says that the user declined
        raise InputError(f"not installed: {listed}; press Detect again to install them") from error
    except (subprocess.CalledProcessError, OSError) as error:
        _log.exception("installing %s", listed)
        raise InputError(
            f"{listed} could not be installed; check the network connection or proxy (without "
            "one, see Troubleshooting in the README), then press Detect again"
        ) from error


def _install_in_old_slicer(wanted: list[str], listed: str) -> None:
    """Slicer 5.10 has no slicer.packaging."""
    question = f"These Python packages will be installed into Slicer: {listed}. Continue?"
    if not slicer.util.confirmOkCancelDisplay(question, REQUESTER):
        raise RuntimeError("declined")
    slicer.util.pip_install([str(one) for one in wanted])


def _import_packaging() -> bool:
    try:
        import slicer.packaging  # noqa: F401, found by name above
    except ImportError:
        return False
    return True


def _is_there(name: str, version_of) -> bool:
    for alternative in _ALTERNATIVES.get(name, (name,)):
        try:
            version_of(alternative)
        except importlib.metadata.PackageNotFoundError:
            continue
        return True
    return False


def _name(requirement: str) -> str:
    return requirement.split(">")[0]
