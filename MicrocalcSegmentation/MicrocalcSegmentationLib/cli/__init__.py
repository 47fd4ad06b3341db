"""The `microcalc` command.

Exit codes: 0 done, 1 an input or the model was refused, 2 wrong usage, 130 stopped.
Importing this package, and asking for help, loads neither numpy nor TensorFlow.
"""

import argparse
import json
import logging
import os
import sys

from .. import __version__
from ..errors import Cancelled, MicrocalcError
from . import (
    analyse,
    demo,
    evaluate,
    experiment,
    insert,
    models,
    realism,
    samples,
    segment,
    simulate,
    survey,
    train,
)

__all__ = ["COMMANDS", "build_parser", "main"]

DONE, REFUSED, STOPPED = 0, 1, 130

_DESCRIPTION = """\
Find and segment breast microcalcifications (MCs) in mammograms.

first try:      microcalc demo
your images:    microcalc segment left_cc.dcm left_mlo.dcm --output results

For research; not a medical device."""
_EPILOG = "`microcalc COMMAND --help` says what a command does, with examples."
COMMANDS = (
    *(segment, demo, simulate, insert, evaluate, survey, realism),
    *(models, samples, train, experiment, analyse),
)


def main(argv: list[str] | None = None, commands=COMMANDS) -> int:
    """Run one command; returns its exit code. Wrong usage raises SystemExit(2), as argparse does.

    argv: the arguments after the program's name; None takes the process's own.
    commands: modules, or anything else with their five names.
    """
    args = build_parser(commands).parse_args(argv)
    _quieten(args.verbose)
    try:
        return args.run(args)
    except MicrocalcError as error:
        return _refuse(args, str(error))
    except (KeyboardInterrupt, Cancelled):
        sys.stderr.write("\nmicrocalc: stopped; what was finished before is kept\n")
        return STOPPED
    except BrokenPipeError:  # `microcalc ... | head`: nobody reads on, and nobody needs to know
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED


def build_parser(commands=COMMANDS) -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="microcalc",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"microcalc {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    for command in commands:
        sub = subparsers.add_parser(
            command.NAME,
            help=command.SUMMARY,
            description=command.DESCRIPTION,
            epilog=command.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.add_argument(
            "-v",
            "--verbose",
            action="count",
            default=0,
            help="say more on stderr; twice: everything",
        )
        sub.set_defaults(run=command.run)
    return parser


def _quieten(verbose: int) -> None:
    """Set logging, and TensorFlow's own before anything imports it."""
    levels = (logging.ERROR, logging.INFO, logging.DEBUG)
    logging.basicConfig(
        level=levels[min(verbose, 2)], format="%(levelname)s %(name)s: %(message)s", force=True
    )
    # Our own warnings are for the user: an image read otherwise than its header says, for one.
    logging.getLogger(__name__.split(".")[0]).setLevel(min(logging.WARNING, logging.root.level))
    logging.getLogger("h5py").setLevel(logging.WARNING)
    logging.getLogger("PIL").setLevel(logging.WARNING)
    if verbose < 2:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if not verbose:
        logging.getLogger("pydicom").setLevel(logging.CRITICAL)


def _refuse(args: argparse.Namespace, sentence: str) -> int:
    sys.stderr.write(f"microcalc: {sentence}\n")
    if getattr(args, "json", False):
        sys.stdout.write(json.dumps({"error": sentence}) + "\n")
    return REFUSED
