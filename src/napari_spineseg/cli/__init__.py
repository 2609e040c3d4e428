"""The `spineseg` command: the same rooms without a screen.

Each command is one module here, `cli/<name>.py`, with a typer `app`. Only the one that was called
is imported, and the help page needs none, so that it answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from napari_spineseg import __version__
from napari_spineseg.errors import SpineSegError

COMMANDS = {
    "demo": "Segment a bundled sample scan and show the result.",
    "segment": "Segment scans.",
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

_BAD_CALL = 2


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 all done, 2 bad input or a bad call, 1 a bug."""
    words = list(sys.argv[1:] if argv is None else argv)
    first = words[0] if words else ""
    if first in ("--help", "-h"):
        print(help_page())
        sys.exit(0)
    if first == "--version":
        print(f"spineseg {__version__}")
        sys.exit(0)
    if first not in COMMANDS:
        print(f"There is no command {first!r}.\n{help_page()}" if first else help_page(), file=sys.stderr)
        sys.exit(_BAD_CALL)
    _run(first, words[1:])


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


def _run(name: str, words: list[str]) -> None:
    from typer.main import get_command

    from napari_spineseg.cli.console import flat

    command = get_command(import_module(f"{__name__}.{name}").app)
    try:
        command.main(args=words, prog_name=f"spineseg {name}")
    except SpineSegError as error:
        print(f"error: {flat(error)}", file=sys.stderr)
        sys.exit(_BAD_CALL)
