"""DICOM elements as plain text and numbers, whatever state the file is in."""

import logging
import unicodedata

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from ..errors import InputError

_log = logging.getLogger(__name__)

_QUOTED = 60  # characters of a file's own text that a message repeats


def short(text: object) -> str:
    """What a file or a decoder says, fit to be repeated in one sentence."""
    printable = "".join(letter if letter.isprintable() else " " for letter in str(text))
    words = " ".join(printable.split())
    return words if len(words) <= _QUOTED else words[:_QUOTED] + "..."


class Header:
    """Reads a data set's elements by keyword; absent and empty are the same: None.

    name: what to call the file in messages. whole: for the item of a sequence, the header of
        the whole data set.
    """

    def __init__(self, name: str, dataset: Dataset, whole: "Header | None" = None):
        self.name = name
        self.dataset = dataset
        self._whole = whole or self

    @property
    def encoding(self) -> tuple[bool, bool]:
        """Whether it was found in implicit VR, and whether in little endian."""
        dataset = self._whole.dataset
        if hasattr(dataset, "original_encoding"):
            return dataset.original_encoding
        return dataset.read_implicit_vr, dataset.read_little_endian  # pydicom 2.4

    def value(self, keyword: str):
        """The element's value as pydicom gives it, or None.

        Raises InputError when it cannot be decoded.
        """
        # pydicom decodes an element when it is first asked for, and a damaged one raises
        # whatever the converter met: ValueError, TypeError, OverflowError, struct.error, ...
        try:
            value = self.dataset.get(keyword)
            empty = value is None or (hasattr(value, "__len__") and len(value) == 0)
        except Exception as error:
            raise InputError(
                f"{self.name}: its DICOM element {keyword} is damaged; export the file again"
            ) from error
        return None if empty else value

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Its values as text without the padding; () when there is none or it is damaged."""
        try:
            value = self.value(keyword)
        except InputError as error:
            _log.info("%s; left out", error)
            return ()
        values = value if isinstance(value, MultiValue | list) else (value,)
        texts = tuple(str(one).strip(" \0") for one in values if one is not None)
        if any(unicodedata.category(letter) == "Cc" for text in texts for letter in text):
            # Bytes of other elements: a length went wrong before it.
            _log.info("%s: its DICOM element %s is damaged; left out", self.name, keyword)
            return ()
        return tuple(text for text in texts if text)

    def code(self, keyword: str) -> str | None:
        """Its first value in capitals, as DICOM writes its defined terms."""
        return next((text.upper() for text in self.texts(keyword)), None)

    def numbers(self, keyword: str) -> tuple[float, ...] | None:
        """Its values as floats, possibly not finite.

        Raises InputError when one is not a number.
        """
        value = self.value(keyword)
        if value is None:
            return None
        values = value if isinstance(value, MultiValue | list) else (value,)
        try:
            return tuple(float(one) for one in values)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(
                f"{self.name}: its DICOM element {keyword} is not a number; export the file again"
            ) from error

    def number(self, keyword: str, default: float | None = None) -> float | None:
        """Its first value as a float, or the default when there is none."""
        numbers = self.numbers(keyword)
        return numbers[0] if numbers else default

    def integer(self, keyword: str, default: int | None = None) -> int:
        """Its first value as an int.

        Raises InputError when there is neither a value nor a default, or it is no whole number.
        """
        number = self.number(keyword, default)
        if number is None or not float(number).is_integer():
            raise InputError(
                f"{self.name}: its DICOM element {keyword} is "
                f"{'missing' if number is None else number}; the file is damaged or not an image"
            )
        return int(number)

    def items(self, keyword: str) -> tuple["Header", ...]:
        """The items of a sequence; () when there are none."""
        value = self.value(keyword)
        items = value if isinstance(value, Sequence) else ()
        return tuple(Header(self.name, item, self._whole) for item in items)
