"""What can go wrong, in the words that the user reads."""


class MicrocalcError(Exception):
    """A failure that one sentence explains: what, where, and what to do."""


class InputError(MicrocalcError):
    """The input is refused; nothing was written for it."""


class ModelError(MicrocalcError):
    """A model on disk is missing, damaged or not of this version."""


class Cancelled(Exception):
    """The user stopped the work. Not a failure, so not a MicrocalcError."""
