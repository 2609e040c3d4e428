"""The `spineseg` command: the same rooms without a screen.

Each command is one module here, `cli/<name>.py`, with a typer `app`. Only the one that was called
is imported, and the help page needs none, so that it answers at once.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from napari_spineseg import __version__
from napari_spineseg.cli.quick_start import collect_less, leave_out_unused
from napari_spineseg.cli.streams import open_missing_streams, print_line
from napari_spineseg.errors import SpineSegError
from napari_spineseg.memory import keep_memory

COMMANDS = {
    "demo": "Segment a bundled sample scan and show the result.",
    "segment": "Segment scans.",
    "batch": "Segment many scans, here or on a cluster; can be stopped and taken up again.",
    "measure": "Measure segmentations: figures with units, and a report.",
    "preprocess": "Crop, resample, denoise and even out scans.",
    "dataset": "Import, audit, repair and export labelled scans.",
    "corrections": "Fill, list and export a corrections store.",
    "learn": "Train from corrections, judge the result and register it.",
    "models": "List models, look at one, choose, move and remove them.",
    "evaluate": "Compare segmentations with reference labels.",
    "reproduce": "Train the published systems anew and fill their tables.",
    "pretrain": "Train a model from prepared data, as the bundled ones were.",
}
"""Every command in the order of the help page, with its line there."""

_TRAINS_NOTHING = ("segment", "batch", "measure", "evaluate")
_TRAINS_HERE = ("pretrain", "reproduce")
_BAD_CALL, _INTERRUPTED = 2, 130
_NOT_OURS = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENAMETOOLONG,
    errno.EEXIST, errno.ENOTDIR, errno.EISDIR,
)  # fmt: skip
"""What a disk, its owner or a name refuses: the state of the computer, and no mistake of the program."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 all done, 2 bad input or a bad call, 1 a bug."""
    open_missing_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        _start_quickly(*words[:1])
    try:
        _answer(words[0] if words else "", words[1:])
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except SpineSegError as error:
        _fail(error)
    except OSError as error:
        if error.errno not in _NOT_OURS:
            raise
        name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "A file"
        _fail(f"{name} cannot be written or read: {error.strerror}.")


def _start_quickly(command: str = "") -> None:
    """Where the process is the command's own; `demo` may become napari's."""
    if command != "demo":
        collect_less()
    if command in _TRAINS_NOTHING:
        leave_out_unused()
    if command in _TRAINS_HERE:
        keep_memory()


def help_page() -> str:
    """What `spineseg --help` prints."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:{width}}  {line}" for name, line in COMMANDS.items())
    return (
        "Usage: spineseg COMMAND [ARGUMENTS]...\n\n"
        "  Segment lumbar spine MRI, correct the result, and learn from the corrections.\n"
        "  Research use only.\n\n"
        f"Commands:\n{commands}\n\n"
        "Options:\n"
        "  --version  Print the version.\n"
        "  --help     Print this page; spineseg COMMAND --help tells about one command."
    )


def _answer(first: str, words: list[str]) -> None:
    if first in ("--help", "-h"):
        print_line(help_page(), sys.stdout)
    elif first == "--version":
        print_line(f"spineseg {__version__}", sys.stdout)
    elif first in COMMANDS:
        from typer.main import get_command

        command = get_command(import_module(f"{__name__}.{first}").app)
        command.main(args=words, prog_name=f"spineseg {first}")
    elif first:
        _fail(f"There is no command {first!r}; `spineseg --help` lists them.")
    else:
        print(help_page(), file=sys.stderr)
        sys.exit(_BAD_CALL)
    sys.exit(0)


def _fail(why: object) -> NoReturn:
    from napari_spineseg.cli.console import flat

    print(f"error: {flat(why)}", file=sys.stderr)
    sys.exit(_BAD_CALL)
