"""Stored pixel values of a single-frame DICOM image, from any transfer syntax.

pydicom finds the bytes; pylibjpeg's plug-ins decompress JPEG of all kinds. They are called
directly, so that pydicom 2.4 and 3, and whatever other codecs are installed, give the same
values.
"""

from dataclasses import dataclass

import numpy as np
from pydicom.uid import UID

from ..errors import InputError
from . import codestream, run_length
from .header import Header, short

# By number: pydicom 2.4 and 3 give the name JPEGLossless to two different ones.
BIG_ENDIAN = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
RAW = (
    "1.2.840.10008.1.2",  # implicit VR
    "1.2.840.10008.1.2.1",  # explicit VR
    "1.2.840.10008.1.2.1.99",  # deflated; inflated with the header
    BIG_ENDIAN,
)
JPEG = (
    "1.2.840.10008.1.2.4.50",  # baseline
    "1.2.840.10008.1.2.4.51",  # extended, up to 12 bits
    "1.2.840.10008.1.2.4.57",  # lossless
    "1.2.840.10008.1.2.4.70",  # lossless, first-order prediction
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless
)
JPEG_2000 = (
    "1.2.840.10008.1.2.4.90",  # reversible
    "1.2.840.10008.1.2.4.91",
)


@dataclass(frozen=True)
class Stored:
    """Stored values, before any transform.

    values: (rows, cols), of an integer type of at most 32 bits. lowest, highest: the ends of
        what its bits can hold.
    """

    values: np.ndarray
    lowest: int
    highest: int


@dataclass(frozen=True)
class Layout:
    """How stored values lie in the bytes: the Image Pixel module."""

    rows: int
    cols: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool


def layout(header: Header) -> Layout:
    """The header's description of its pixels; raises InputError when it makes no sense."""
    bits_allocated = header.integer("BitsAllocated")
    bits_stored = header.integer("BitsStored", bits_allocated)
    high_bit = header.integer("HighBit", bits_stored - 1)
    if bits_allocated not in (8, 16) or not bits_stored <= high_bit + 1 <= bits_allocated:
        raise InputError(
            f"{header.name}: {bits_stored} bits stored in {bits_allocated}, up to bit {high_bit}, "
            "is no layout of a mammogram's pixels (8 or 16 bits); export the file again"
        )
    if bits_stored < 2:
        raise InputError(f"{header.name}: one-bit pixels are a mask; give the mammogram itself")
    signed = header.integer("PixelRepresentation", 0) == 1
    shape = header.integer("Rows"), header.integer("Columns")
    return Layout(*shape, bits_allocated, bits_stored, high_bit, signed)


def stored_pixels(header: Header, syntax: str) -> Stored:
    """Decodes the pixel data of a whole data set.

    syntax: transfer syntax UID.
    Raises InputError for an unknown syntax, and for data that are cut short or damaged.
    """
    grid = layout(header)
    pixel_data = header.value("PixelData")
    if pixel_data is None:
        raise InputError(
            f"{header.name}: no complete pixel data; the file is cut short or holds no image, "
            "copy or export it again"
        )
    if syntax in RAW:
        values = _unpacked(header, grid, pixel_data, syntax == BIG_ENDIAN)
    else:
        values = _decompressed(header, grid, pixel_data, syntax)
    half = 1 << (grid.bits_stored - 1)
    lowest, highest = (-half, half - 1) if grid.signed else (0, 2 * half - 1)
    # A compressed stream may hold more bits than the header says; nothing is cut off.
    return Stored(values, min(lowest, int(values.min())), max(highest, int(values.max())))


def _unpacked(header: Header, grid: Layout, pixel_data: bytes, big_endian: bool) -> np.ndarray:
    count = grid.rows * grid.cols
    expected = count * grid.bits_allocated // 8
    if len(pixel_data) < expected:
        raise InputError(
            f"{header.name}: {len(pixel_data):,} bytes of pixel data instead of {expected:,}; "
            "the file is cut short, copy or export it again"
        )
    if grid.bits_allocated == 16:
        words = np.frombuffer(pixel_data, ">u2" if big_endian else "<u2", count)
    else:
        words = np.frombuffer(pixel_data, "u1")
        if big_endian and header.dataset["PixelData"].VR == "OW" and len(words) % 2 == 0:
            words = words.reshape(-1, 2)[:, ::-1].ravel()  # bytes were swapped in their words
        words = words[:count]
    words = words.reshape(grid.rows, grid.cols)
    # Bits beside the stored ones held overlays in older objects.
    beside, top = grid.high_bit + 1 - grid.bits_stored, (1 << grid.bits_stored) - 1
    if beside or int(words.max()) > top:
        words = (words >> beside) & top
    return _with_sign(words, grid)


def _decompressed(header: Header, grid: Layout, pixel_data: bytes, syntax: str) -> np.ndarray:
    # The decoders raise many kinds of exception on damaged data (RuntimeError, ValueError,
    # OSError, struct.error, ...); here they all mean the same.
    try:
        frame = codestream.first_frame(pixel_data)
        if syntax == RLE:
            decoded = _from_rle(frame, grid)
        elif syntax in JPEG or syntax in JPEG_2000:
            decoded = _from_jpeg(frame, grid, syntax)
        else:
            raise InputError(
                f"{header.name}: compressed as {short(UID(syntax).name)}, which cannot be read; "
                "decompress it first, for example with gdcmconv --raw"
            )
        if decoded.itemsize > 2:
            raise ValueError("more than 16 bits a pixel")
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{header.name}: its compressed pixel data are cut short or damaged ({short(error)}); "
            "copy or export it again"
        ) from error
    if decoded.dtype.kind == "i" and not grid.signed:
        # The stream calls itself signed, the header does not: it is the header's bits that count.
        decoded = decoded.astype(np.int32) & ((1 << grid.bits_stored) - 1)
    return _with_sign(decoded, grid)


def _from_rle(frame: bytes, grid: Layout) -> np.ndarray:
    words = run_length.decode(frame, (grid.rows, grid.cols), grid.bits_allocated // 8)
    return words & words.dtype.type((1 << grid.bits_stored) - 1)


def _from_jpeg(frame: bytes, grid: Layout, syntax: str) -> np.ndarray:
    if not codestream.is_whole(frame):
        raise ValueError("the end of the image is missing")
    declared = codestream.declared_size(frame)
    if declared != (grid.rows, grid.cols, 1):
        raise ValueError(f"the stream is {declared}, the header {(grid.rows, grid.cols, 1)}")
    if syntax in JPEG_2000:
        import openjpeg

        return np.asarray(openjpeg.decode(frame))
    import libjpeg

    return np.asarray(libjpeg.decode(frame))


def _with_sign(values: np.ndarray, grid: Layout) -> np.ndarray:
    """Two's complement of the stored bits; values that have their sign keep it."""
    if not grid.signed:
        return values
    sign = 1 << (grid.bits_stored - 1)
    return ((values.astype(np.int32) & (2 * sign - 1)) ^ sign) - sign
