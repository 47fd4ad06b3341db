"""What a compressed frame says of itself, looked at before a decoder may allocate for it."""

import struct

_START_OF_IMAGE = b"\xff\xd8"
_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"  # JPEG 2000: SOC, then SIZ
_END = b"\xff\xd9"  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000
# Frame headers: SOF0 to SOF15 without the tables DHT, JPG and DAC among them, and JPEG-LS's.
_FRAME_HEADERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}


def first_frame(pixel_data: bytes) -> bytes:
    """The compressed frame of a single-frame object: all fragments after the offset table.

    pixel_data: the encapsulated Pixel Data value (DICOM PS3.5 A.4).
    Raises ValueError when it is not made of whole items.
    """
    fragments, start = [], 0
    while start + 8 <= len(pixel_data):
        group, element, length = struct.unpack_from("<HHL", pixel_data, start)
        if (group, element) == (0xFFFE, 0xE0DD):
            break
        if (group, element) != (0xFFFE, 0xE000) or start + 8 + length > len(pixel_data):
            raise ValueError("a fragment is cut short")
        fragments.append(pixel_data[start + 8 : start + 8 + length])
        start += 8 + length
    if len(fragments) < 2:
        raise ValueError("there is no compressed frame")
    return b"".join(fragments[1:])


def is_whole(frame: bytes) -> bool:
    """Whether a JPEG, JPEG-LS or JPEG 2000 stream has its end; decoders fill up what lacks."""
    return frame.rstrip(b"\0").endswith(_END)


def declared_size(frame: bytes) -> tuple[int, int, int]:
    """(rows, cols, components) in the header of a JPEG, JPEG-LS or JPEG 2000 stream.

    Raises ValueError when it has none.
    """
    try:
        if frame.startswith(_START_OF_IMAGE):
            return _jpeg_size(frame)
        start = frame.find(_START_OF_CODESTREAM, 0, 1024)  # some writers leave the JP2 boxes on
        if start >= 0:
            right, bottom, left, top = struct.unpack_from(">4L", frame, start + 8)
            (components,) = struct.unpack_from(">H", frame, start + 40)
            return bottom - top, right - left, components
    except struct.error as error:
        raise ValueError("the compressed header is cut short") from error
    raise ValueError("the compressed header is unknown")


def _jpeg_size(frame: bytes) -> tuple[int, int, int]:
    start = len(_START_OF_IMAGE)
    while True:
        prefix, marker, length = struct.unpack_from(">BBH", frame, start)
        if prefix != 0xFF:
            raise ValueError("a marker is missing in the compressed header")
        if marker in _FRAME_HEADERS:
            rows, cols, components = struct.unpack_from(">HHB", frame, start + 5)
            return rows, cols, components
        # A fill byte may stand before any marker.
        start += 1 if marker == 0xFF else 2 + length
