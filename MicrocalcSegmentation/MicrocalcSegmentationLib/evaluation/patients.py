"""Whose image it is, where nothing but its name says so."""

import re

_CBIS_DDSM = re.compile(r"P_\d{5}")


def patient_of(name: str) -> str:
    """The patient in names of CBIS-DDSM, as P_00005; any other image stands for itself."""
    known = _CBIS_DDSM.search(name)
    return known.group() if known else name
