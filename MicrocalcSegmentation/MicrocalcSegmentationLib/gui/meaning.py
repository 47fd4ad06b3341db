"""What the slider's place means, in words."""

from ..errors import ModelError
from ..model import load_model


def meaning(model: str, threshold: float) -> str:
    """What a threshold gave where the model's own was chosen; empty where not measured.

    model: a shipped one's name. A damaged one is silent here: it says so when it is used.
    """
    try:
        point = load_model(model).operating_point(threshold)
    except ModelError:
        return ""
    if point is None:
        return ""
    return (
        f"Of simulated calcifications in training tissue, {point.mcs_found:.0%} are found here, "
        f"with {point.false_clusters:.2g} false clusters per 100 cm² of breast."
    )
