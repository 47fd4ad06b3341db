"""What each figure means, in the words that are printed beside it."""

from .figures import Definition, at_false_rate, auprc, ratio
from .scores import PLAIN_FROM

MC_MARKS, MC_OUT_OF = ("matched", "false_mcs"), ("true_mcs", "breast_cm2")
CLUSTER_MARKS, CLUSTER_OUT_OF = ("marked", "false_clusters"), ("true_clusters", "images")

IGNORED_PIXELS = (
    "calcifications that are benign or too faint to be marked, and whatever else the truth leaves "
    "open; no pixel figure counts them, a found MC that lies on them and matches no true one is "
    "neither true nor false, and a found cluster is false only if it is one without such MCs"
)
_PIXELS = {"tp": 1, "fp": 1, "fn": 1, "tn": 1}
_MATCH = "centroids at most 0.35 mm apart or IoU at least 0.3, one to one"
_OPEN = ", but for marks on ignored pixels"
_OVERLAP = "convex outlines with a point in common"


def _mc_at(limit: float) -> Definition:
    return Definition(
        f"mc_sensitivity_at_{limit:g}_fp_per_cm2",
        f"MC sensitivity at {limit:g} FP/cm2",
        "",
        f"highest MC sensitivity among thresholds with at most {limit:g} false MCs per cm2",
        at_false_rate(MC_MARKS, MC_OUT_OF, limit),
    )


def _cluster_at(limit: float) -> Definition:
    return Definition(
        f"cluster_sensitivity_at_{limit:g}_false_per_image",
        f"cluster sensitivity at {limit:g} false/image",
        "",
        f"highest cluster sensitivity among thresholds with at most {limit:g} false clusters "
        "per image",
        at_false_rate(CLUSTER_MARKS, CLUSTER_OUT_OF, limit),
    )


DEFINITIONS = (
    Definition(
        "mc_sensitivity",
        "MC sensitivity",
        "",
        f"true MCs matched by a found one ({_MATCH}), over all true MCs",
        ratio({"matched": 1}, {"true_mcs": 1}),
    ),
    Definition(
        "mc_sensitivity_plain",
        f"MC sensitivity from {PLAIN_FROM:g} deviations",
        "",
        f"the same over the true MCs that peak at least {PLAIN_FROM:g} local deviations of the "
        "fine texture above what is around them",
        ratio({"plain_matched": 1}, {"plain_mcs": 1}),
    ),
    Definition(
        "mc_false_positives_per_cm2",
        "false MCs",
        "per cm2",
        f"found MCs that match no true one{_OPEN}, over the area of breast found",
        ratio({"false_mcs": 1}, {"breast_cm2": 1}),
    ),
    _mc_at(0.1),
    _mc_at(0.4),
    _mc_at(1.0),
    Definition(
        "mc_iou",
        "IoU per matched MC",
        "",
        "intersection over union of each matched pair, mean over pairs",
        ratio({"iou_sum": 1}, {"matched": 1}),
    ),
    Definition(
        "image_iou",
        "IoU per image",
        "",
        "intersection over union of all MC pixels of an image, mean over images that have "
        "any, found or true",
        ratio({"image_iou": 1}, {"with_mc": 1}),
    ),
    Definition(
        "cluster_sensitivity",
        "cluster sensitivity",
        "",
        "true clusters (the method's definition applied to the true MCs, or outlined regions) "
        f"that a found one overlaps ({_OVERLAP}), over all true clusters",
        ratio({"marked": 1}, {"true_clusters": 1}),
    ),
    Definition(
        "false_clusters_per_image",
        "false clusters",
        "per image",
        f"found clusters that overlap no true one{_OPEN}, over images",
        ratio({"false_clusters": 1}, {"images": 1}),
    ),
    _cluster_at(0.1),
    _cluster_at(0.35),
    _cluster_at(1.0),
    Definition(
        "image_sensitivity",
        "image sensitivity",
        "",
        "images with a true cluster in which at least one true cluster is marked, over "
        "images with a true cluster",
        ratio({"with_marked_cluster": 1}, {"with_cluster": 1}),
    ),
    Definition(
        "image_specificity",
        "image specificity",
        "",
        "images without a true cluster in which no false cluster is found, over images "
        "without a true cluster",
        ratio({"rightly_clear": 1}, {"without_cluster": 1}),
    ),
    Definition(
        "pixel_accuracy",
        "pixel accuracy",
        "",
        "pixels that are rightly MC or not, over all pixels of the images; an empty mask "
        "scores nearly as high",
        ratio({"tp": 1, "tn": 1}, _PIXELS),
    ),
    Definition(
        "pixel_fpr",
        "pixel false-positive rate",
        "",
        "pixels wrongly MC, over all pixels of the images that are not MC",
        ratio({"fp": 1}, {"fp": 1, "tn": 1}),
    ),
    Definition(
        "pixel_fpr_breast",
        "pixel FPR in the breast",
        "",
        "the same over the pixels of the breast found",
        ratio({"breast_fp": 1}, {"breast_negative": 1}),
    ),
    Definition(
        "pixel_precision",
        "pixel precision",
        "",
        "true MC pixels among found ones",
        ratio({"tp": 1}, {"tp": 1, "fp": 1}),
    ),
    Definition(
        "pixel_recall",
        "pixel recall",
        "",
        "found MC pixels among true ones",
        ratio({"tp": 1}, {"tp": 1, "fn": 1}),
    ),
    Definition(
        "pixel_dice",
        "pixel Dice",
        "",
        "2 x intersection over the sum of both areas, all images' pixels together",
        ratio({"tp": 2}, {"tp": 2, "fp": 1, "fn": 1}),
    ),
    Definition(
        "pixel_iou",
        "pixel IoU",
        "",
        "intersection over union, all images' pixels together",
        ratio({"tp": 1}, {"tp": 1, "fp": 1, "fn": 1}),
    ),
    Definition(
        "pixel_auprc",
        "pixel AUPRC",
        "",
        "area under precision against recall over all thresholds of the probability map, "
        "all images' pixels together",
        auprc,
    ),
)
