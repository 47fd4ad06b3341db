"""Every number that a user may change, with its unit and its source."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How `segment` works.

    threshold: segmentator probability from which a pixel is MC; None takes the
        model's own, chosen on its validation split.
    detector_threshold: detector probability from which a window is a candidate ROI;
        None takes the model's own.
    engine: what runs the networks: "onnx" (ONNX Runtime), "keras", or "auto" for the one
        that fits this machine best.
    device: "auto", "cpu" or "gpu".
    evaluation: "sliding" shares the work of neighbouring patches where the network allows
        it (padding "valid"); "windows" evaluates each patch by itself, as published. The
        results agree to rounding.
    batch_size: patches evaluated at once; bounds memory, never changes results.
    neighbours: whether a candidate's neighbours count, where the model has learnt how much
        (see `neighbours`); False keeps to the published method.
    min_mc_area_mm2: smaller connected regions are noise, not MCs.
    """

    threshold: float | None = None
    detector_threshold: float | None = None
    engine: str = "auto"
    device: str = "auto"
    evaluation: str = "sliding"
    batch_size: int = 2048
    neighbours: bool = True
    min_mc_area_mm2: float = 0.0075  # three pixels of the method's 0.05 mm, 0.1 mm across


CLUSTER_AREA_MM2 = 100.0  # "more than 5 MCs per cm2": Valvano et al. 2019
CLUSTER_MIN_MCS = 6  # more than 5
METHOD_SPACING_MM = 0.05  # Valvano et al. 2019: all images at 0.05 mm/pixel
TILE_MIB = 48  # of working memory that a tile may take on a CPU, near what its caches hold
GPU_TILE_MIB = 512  # and on a GPU, which needs large tiles to be busy
