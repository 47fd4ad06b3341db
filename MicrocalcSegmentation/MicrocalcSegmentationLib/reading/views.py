"""Which breast, seen from where."""

from .header import Header

# Context Group 4014, View for Mammography: SNOMED CT, and the older SNOMED RT that most
# archives still hold.
_VIEW_CODES = {
    "399162004": "CC",
    "R-10242": "CC",
    "399368009": "MLO",
    "R-10226": "MLO",
    "399260004": "ML",
    "R-10224": "ML",
    "399352003": "LM",
    "R-10228": "LM",
    "399099002": "LMO",
    "R-10230": "LMO",
    "399196006": "FB",
    "R-10244": "FB",
    "399188001": "SIO",
    "R-102D0": "SIO",
    "441555000": "ISO",
    "R-40AAA": "ISO",
    "399192008": "XCCL",
    "R-1024A": "XCCL",
    "399101009": "XCCM",
    "R-1024B": "XCCM",
    "399265009": "XCC",
    "R-102CF": "XCC",
}


def view(header: Header) -> str | None:
    """View Position, else the View Code Sequence, else None.

    CBIS-DDSM's films have the view in Patient Orientation, where no view belongs; a term that
    can be nothing else is taken from there.
    """
    stated = header.code("ViewPosition")
    if stated:
        return stated
    for item in header.items("ViewCodeSequence"):
        coded = _VIEW_CODES.get(item.code("CodeValue"))
        if coded:
            return coded
    oriented = header.code("PatientOrientation")
    return oriented if oriented in ("CC", "MLO", "ML", "LM", "LMO") else None


def laterality(header: Header) -> str | None:
    """ "L" or "R" of the image, else of the series; None for anything else."""
    for keyword in ("ImageLaterality", "Laterality"):
        stated = header.code(keyword)
        if stated in ("L", "R"):
            return stated
    return None
