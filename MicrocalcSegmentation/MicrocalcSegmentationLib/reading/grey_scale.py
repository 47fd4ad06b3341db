"""From stored values to brightness: what DICOM's grey-scale pipeline means for the method.

All transforms map one stored value to one grey value, so they are composed on a table
of all stored values (65,536 at most), in float64, and looked up once, a band of rows at a
time: a whole mammogram's arrays are large.
"""

import logging

import numpy as np

from ..bands import BAND_ROWS, in_bands
from ..errors import InputError
from .admission import require_usable_values
from .header import Header
from .pixel_data import Stored

_log = logging.getLogger(__name__)

KEPT_LEVELS = 0.5  # share of an image's grey levels that a VOI transform must keep apart
_OUTPUT_LEVELS = 65_535  # 16 bits


def brightness(
    header: Header, stored: Stored, for_processing: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels that are brighter where the breast is denser, and the mask of image pixels.

    Always: the modality LUT, or rescale slope and intercept.

    For Presentation, and objects that do not say: then the VOI LUT (the first) or a SIGMOID
    function, since a vendor may rely on it for a usable scale; but not when it would merge
    more than half of the image's grey levels, because a faint MC lives in a few of them. A
    LINEAR window is never applied: inside, it changes nothing that the method's local
    normalisation would notice, and outside it clips. MONOCHROME1 is then inverted; its
    Presentation LUT Shape INVERSE says the same inversion again, not a second one.

    For Processing: minus the logarithm of the exposure (see `_log_attenuation`).

    Padding is filled with the darkest grey value of the image itself.
    Returns (rows, cols) float32 and bool, the latter None when there is no padding.
    Raises InputError when nothing usable is left.
    """
    levels = np.arange(stored.lowest, stored.highest + 1)
    padding = _is_padding(header, levels)
    present = _present(stored, len(levels))
    padded = bool((present & padding).any())
    present &= ~padding
    if not present.any():
        raise InputError(f"{header.name}: all pixels are padding; check that it holds an image")
    table = _modality(header, levels)
    if for_processing:
        table = _log_attenuation(header, table, present)
    else:
        table = _displayed(header, table, present)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        table = table.astype(np.float32)
    require_usable_values(header.name, table[present])
    table[padding] = table[present].min()
    return _through(table, stored), _through(~padding, stored) if padded else None


def _present(stored: Stored, count: int) -> np.ndarray:
    """(count,) bool: which values the image has."""
    present = np.zeros(count, bool)
    for first in range(0, len(stored.values), BAND_ROWS):
        band = stored.values[first : first + BAND_ROWS].astype(np.intp).ravel()
        present |= np.bincount(band - stored.lowest, minlength=count) > 0
    return present


def _through(table: np.ndarray, stored: Stored) -> np.ndarray:
    """(rows, cols): what the table has for each stored value."""
    found = np.empty(stored.values.shape, table.dtype)

    def look_up(rows: slice) -> None:
        band = stored.values[rows].astype(np.intp)
        band -= stored.lowest
        # All of them are in the table: "clip" only spares a copy of what is written.
        np.take(table, band, out=found[rows], mode="clip")

    in_bands(len(found), look_up)
    return found


def _is_padding(header: Header, levels: np.ndarray) -> np.ndarray:
    """Which stored values are padding; both ends of its range count."""
    first = header.number("PixelPaddingValue")
    if first is None:
        return np.zeros(len(levels), bool)
    ends = np.array([first, header.number("PixelPaddingRangeLimit", first)])
    if levels[0] < 0:
        ends = np.where(ends > levels[-1], ends - 0x10000, ends)  # written as unsigned by mistake
    return (levels >= ends.min()) & (levels <= ends.max())


def _modality(header: Header, levels: np.ndarray) -> np.ndarray:
    tables = header.items("ModalityLUTSequence")
    if tables:
        return _looked_up(tables[0], levels, levels[0] < 0)
    return levels * header.number("RescaleSlope", 1.0) + header.number("RescaleIntercept", 0.0)


def _displayed(header: Header, table: np.ndarray, present: np.ndarray) -> np.ndarray:
    inverted = header.code("PhotometricInterpretation") == "MONOCHROME1"
    if not inverted and header.code("PresentationLUTShape") == "INVERSE":
        _log.warning("%s: MONOCHROME2 with an inverse Presentation LUT; not inverted", header.name)
    shown = _voi(header, table)
    if shown is not None:
        rises = np.ptp(shown[present][[0, -1]]) == 0 or (
            (shown[present][-1] > shown[present][0]) == (table[present][-1] > table[present][0])
        )
        if _levels_apart(shown[present]) >= KEPT_LEVELS * present.sum():
            table = shown
        else:
            _log.info("%s: its VOI transform merges grey levels; left off", header.name)
            inverted ^= not rises
    return table[0] + table[-1] - table if inverted else table


def _levels_apart(values: np.ndarray) -> int:
    """How many of the values a 16-bit output tells apart."""
    span = np.ptp(values)
    return len(np.unique(np.round(values * (_OUTPUT_LEVELS / span)))) if span > 0 else 1


def _voi(header: Header, values: np.ndarray) -> np.ndarray | None:
    """Values through the first VOI LUT or SIGMOID function; None when there is neither."""
    tables = header.items("VOILUTSequence")
    if tables:
        return _looked_up(tables[0], np.round(values), values.min() < 0)
    width = header.number("WindowWidth")
    center = header.number("WindowCenter")
    if header.code("VOILUTFunction") != "SIGMOID" or center is None or not width or width < 0:
        return None
    # PS3.3 C.11.2.1.3.1; beyond 700 the exponential overflows.
    return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))


def _looked_up(item: Header, values: np.ndarray, signed: bool) -> np.ndarray:
    """Values through a LUT item (PS3.3 C.11.1, C.11.2); those outside take its ends."""
    descriptor = item.numbers("LUTDescriptor")
    data = item.value("LUTData")
    if not descriptor or len(descriptor) != 3 or data is None:
        raise InputError(f"{item.name}: its look-up table is incomplete; export the file again")
    count = int(descriptor[0]) or 0x10000
    first = descriptor[1] - (0x10000 if signed and descriptor[1] > 0x7FFF else 0)
    if isinstance(data, bytes):
        if descriptor[2] == 8 and len(data) <= count + 1:  # two entries packed in a word
            data = np.frombuffer(data, "u1")
        else:
            order = "<" if item.encoding[1] else ">"
            data = np.frombuffer(data, f"{order}u2", len(data) // 2)
    entries = np.asarray(data, dtype=np.float64).ravel()[:count]
    if len(entries) < count:
        raise InputError(
            f"{item.name}: its look-up table has {len(entries)} of {count} entries; "
            "the file is damaged, export it again"
        )
    finite = np.nan_to_num(values - first, nan=0, posinf=count, neginf=0)
    return entries[np.clip(finite, 0, count - 1).astype(np.int64)]


def _log_attenuation(header: Header, table: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Minus the logarithm of the exposure, from grey values of a For Processing image.

    Pixel Intensity Relationship Sign says whether values rise with the exposure (1) or fall
    (-1); without it MONOCHROME1 rises, MONOCHROME2 falls. Relationship LIN: values that rise
    are proportional to the exposure; values that fall are what is missing to their highest.
    LOG, and anything else that falls: logarithmic already. Without a relationship, rising
    values are counts of a detector, which are linear. No exposure at all (a dead detector
    element) reads as the lowest exposure of the image.
    """
    relationship, sign = exposure_scale(header)
    if relationship != "LIN":
        return -sign * table
    exposure = table if sign == 1 else max(table[0], table[-1]) - table
    above_zero = exposure[present & (exposure > 0)]
    if len(above_zero) == 0:
        raise InputError(
            f"{header.name}: a linear For Processing image without any exposure above zero; "
            "export the file again"
        )
    return -np.log(np.maximum(exposure, above_zero.min()))


def exposure_scale(header: Header) -> tuple[str, int]:
    """ "LIN" or "LOG", and whether stored values rise (1) or fall (-1) with the exposure."""
    relationship = header.code("PixelIntensityRelationship")
    sign = header.number("PixelIntensityRelationshipSign")
    if sign not in (1, -1):
        sign = 1 if header.code("PhotometricInterpretation") == "MONOCHROME1" else -1
    if relationship not in ("LIN", "LOG"):
        relationship = "LIN" if relationship is None and sign == 1 else "LOG"
    return relationship, int(sign)
