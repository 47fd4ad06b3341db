"""The libraries that training needs, and which of them a model was made with."""

import platform
import sys
from importlib.util import find_spec

import numpy as np

from .. import __version__
from ..errors import ModelError


def require() -> None:
    """Raise ModelError where one is missing, or an hour's work would be for nothing."""
    for library in ("keras", "onnx"):
        if find_spec(library) is None:
            raise ModelError(
                f"training needs {library}, which is not installed; "
                "run: pip install 'microcalc-segmentation[cpu]'"
            )


def versions() -> dict[str, str]:
    """By name, our own with them."""
    import keras

    backend = keras.backend.backend()
    return {
        "microcalc-segmentation": __version__,
        "keras": keras.__version__,
        "backend": f"{backend} {sys.modules[backend].__version__}",
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
