"""The `spineseg` command: the same rooms without a screen.

Each command is one module here with a `register(app)`. Only the module of the command that was
called is imported, so that `spineseg --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from napari_spineseg.errors import SpineSegError

if TYPE_CHECKING:
    import typer

COMMANDS = {
    "demo": "Segment a bundled sample scan and show the result.",
    "segment": "Segment scans.",
    "models": "List the models, and look at one.",
    "evaluate": "Compare segmentations with reference labels.",
}
"""Every command in the order of the help page, with its line there. `cli/<name>.py` holds it."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 all done, 2 bad input or a bad call, 1 a bug."""
    from typer.main import get_command

    from napari_spineseg.cli.console import flat

    words = list(sys.argv[1:] if argv is None else argv)
    try:
        get_command(build(words)).main(args=words, prog_name="spineseg")
    except SpineSegError as error:
        print(f"error: {flat(error)}", file=sys.stderr)
        sys.exit(2)


def build(words: Sequence[str]) -> typer.Typer:
    """The command tree for a call made of `words`; commands that are not called are only named."""
    import typer

    app = typer.Typer(
        help="Segment lumbar spine MRI, correct the result, and learn from the corrections. Research use only.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        no_args_is_help=True,
    )

    @app.callback()
    def root(version: bool = typer.Option(False, "--version", help="Print the version and leave.")) -> None:
        pass

    for name, line in COMMANDS.items():
        if name in words:
            import_module(f"{__name__}.{name}").register(app)
        else:
            app.command(name, help=line)(_elsewhere)
    if "--version" in words[:1]:
        _print_version()
    return app


def _elsewhere() -> None:
    """Stand for a command that was not called; the help page needs only its name."""


def _print_version() -> None:
    from napari_spineseg import __version__

    print(f"spineseg {__version__}")
    sys.exit(0)
