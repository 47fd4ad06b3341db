"""The distance between pixels: stated by the file or by the user, never guessed."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InputError
from .header import Header

_log = logging.getLogger(__name__)

# Receptors and film digitisers of mammography sample at 0.042 mm (film at 600 dpi) to
# 0.1 mm (a-Si detectors); a factor of two on either side leaves room for magnified and
# for binned images. Outside, the figure is some other image's, or in another unit.
MIN_SPACING_MM = 0.02
MAX_SPACING_MM = 0.2
# Source over object distance: 1.0 in contact, 1.5 to 2 on a magnification stand.
MIN_MAGNIFICATION = 1.0
MAX_MAGNIFICATION = 2.5
# Resolutions that drawing programs write by themselves, for printing.
PRINT_DPI = (72, 75, 96, 100, 150, 200, 240, 300, 600, 1200)
AGREEMENT = 0.01  # relative; headers round to three digits

DICOM_KEYWORDS = ("ImagerPixelSpacing", "PixelSpacing", "NominalScannedPixelSpacing")
_MM_PER_INCH = 25.4


class NoUsableSpacing(InputError):
    """A file states no spacing, or none that a mammogram has; the user has to."""


@dataclass(frozen=True)
class Spacing:
    """row_col_mm: between rows, between columns. stated_by, magnification: see `Mammogram`."""

    row_col_mm: tuple[float, float]
    stated_by: str
    magnification: float = 1.0


def dicom_spacing(header: Header, user_mm: Sequence[float] | None) -> Spacing:
    """Spacing of a DICOM mammogram.

    The user's wins, and is taken to be the spacing in the breast. Else ImagerPixelSpacing,
    which is the spacing at the detector and what viewers place a mammogram with; the
    magnification leads from there to the breast. Else PixelSpacing, which already holds in
    the breast as far as anyone calibrated it, or NominalScannedPixelSpacing, of film.
    Raises InputError where there is none, or one that no mammogram has.
    """
    if user_mm is not None:
        chosen = users_spacing(user_mm)
        _compare(header.name, chosen, _readable(header))
        return chosen
    keyword = _first_stated(header)
    if keyword is None:
        raise _missing(header.name, "no pixel spacing in the header")
    row_col_mm = _plausible(header.numbers(keyword), f"{header.name}: {keyword}")
    if keyword != "ImagerPixelSpacing":
        return Spacing(row_col_mm, keyword)
    return Spacing(row_col_mm, keyword, _magnification(header, row_col_mm))


def file_spacing(
    name: str, row_col_mm: Sequence[float], user_mm: Sequence[float] | None, for_print: bool
) -> Spacing:
    """Spacing of any other file, of which `row_col_mm` is what its header gave.

    A spacing of exactly 1 is what SimpleITK says where the file says nothing. for_print: the
    format stores dots per inch, which drawing programs fill in without knowing the object; the
    usual settings of theirs count as unknown.
    Raises InputError where there is none, or one that no mammogram has.
    """
    unknown = all(mm == 1.0 for mm in row_col_mm)
    dpi = _MM_PER_INCH / row_col_mm[0] if row_col_mm[0] > 0 else math.nan
    printing = for_print and any(abs(dpi - usual) < 0.01 * usual for usual in PRINT_DPI)
    if user_mm is not None:
        chosen = users_spacing(user_mm)
        _compare(name, chosen, None if unknown or printing else row_col_mm)
        return chosen
    if unknown:
        raise _missing(name, "no pixel spacing in the file")
    if printing:
        raise _missing(name, f"its {dpi:.0f} dots per inch are a print setting, no pixel spacing")
    return Spacing(_plausible(row_col_mm, f"{name}: spacing in the file"), "file header")


def users_spacing(spacing_mm: Sequence[float]) -> Spacing:
    """The user's (row, col) spacing, checked like any other."""
    return Spacing(_plausible(spacing_mm, "--spacing-mm"), "user")


def _plausible(spacing_mm: Sequence[float], what: str) -> tuple[float, float]:
    """Two spacings inside the range of mammography, or InputError."""
    try:
        values = tuple(float(mm) for mm in spacing_mm)
    except (TypeError, ValueError) as error:
        raise NoUsableSpacing(
            f"{what}: {spacing_mm!r} is not a row and a column spacing"
        ) from error
    if len(values) == 2 and all(MIN_SPACING_MM <= mm <= MAX_SPACING_MM for mm in values):
        return values
    stated = " ".join(f"{mm:g}" for mm in values) or "nothing"
    raise NoUsableSpacing(
        f"{what}: {stated} mm is not a row and a column spacing between {MIN_SPACING_MM} and "
        f"{MAX_SPACING_MM} mm, as mammograms have; pass the right one with --spacing-mm"
    )


def _first_stated(header: Header) -> str | None:
    return next((word for word in DICOM_KEYWORDS if header.numbers(word)), None)


def _readable(header: Header) -> tuple[float, ...] | None:
    """The header's spacing, None where it is missing or damaged: the user's wins anyway."""
    try:
        keyword = _first_stated(header)
        return header.numbers(keyword) if keyword else None
    except InputError:
        return None


def _missing(name: str, what: str) -> NoUsableSpacing:
    return NoUsableSpacing(f"{name}: {what}; pass --spacing-mm")


def agree(one_mm: Sequence[float], other_mm: Sequence[float]) -> bool:
    """Whether two (row, col) spacings are the same but for the rounding of headers."""
    pairs = zip(one_mm, other_mm, strict=True)
    return all(math.isclose(one, other, rel_tol=AGREEMENT) for one, other in pairs)


def _compare(name: str, chosen: Spacing, stated_mm: Sequence[float] | None) -> None:
    """Log where the user's spacing and the header's differ; the user's is kept."""
    if stated_mm is None or len(stated_mm) != 2:
        return
    if not agree(chosen.row_col_mm, stated_mm):
        _log.warning(
            "%s: using --spacing-mm %g %g, though the file states %g %g mm",
            name,
            *chosen.row_col_mm,
            *stated_mm,
        )


def _magnification(header: Header, imager_mm: tuple[float, float]) -> float:
    """Detector spacing over spacing in the breast; 1 when not (credibly) stated.

    PixelSpacing that says how it was calibrated is the spacing in the breast outright, by
    geometry or by an object of known size, so it wins over the estimated factor.
    """
    factor = header.number("EstimatedRadiographicMagnificationFactor")
    source = "EstimatedRadiographicMagnificationFactor"
    calibrated = header.numbers("PixelSpacing")
    if calibrated and len(calibrated) == 2 and header.code("PixelSpacingCalibrationType"):
        area = calibrated[0] * calibrated[1]
        factor = math.sqrt(imager_mm[0] * imager_mm[1] / area) if area > 0 else math.nan
        source = "calibrated PixelSpacing"
    if factor is None:
        return 1.0
    # Two roundings of the same spacing may put the ratio a little below 1.
    if not MIN_MAGNIFICATION - AGREEMENT <= factor <= MAX_MAGNIFICATION:
        _log.warning(
            "%s: magnification %g by %s is not possible; lengths are measured at the detector",
            header.name,
            factor,
            source,
        )
        return 1.0
    return factor
