"""`spineseg reproduce`: the papers' tables, trained and measured anew."""

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_spineseg.cli.console import Console, show
from napari_spineseg.cli.options import JsonLines, command_app, takes
from napari_spineseg.cli.outputs import folder_for
from napari_spineseg.cli.reproduce_chen2024 import chen2024
from napari_spineseg.files import write_whole
from napari_spineseg.learning.ahmed2024.settings import ReproduceSettings

app = command_app(help="Train published systems anew and fill their tables.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """Train published systems anew and fill their tables."""


@app.command("ahmed2024", short_help="The modified U-Net, beside our default network.")
@takes(ReproduceSettings)
def ahmed2024_(
    settings: ReproduceSettings,
    data: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="SPIDER as downloaded, a PNG release, or a folder with train and val."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for states, weights and the table.")
    ] = Path("ahmed2024"),
    json: JsonLines = False,
) -> None:
    """The modified U-Net of Ahmed et al. 2024, beside our default network on the same slices.

    Can be stopped at any time and started again with the same words: it goes on where it was.
    """
    from napari_spineseg.cli.run import terminated_like_interrupted
    from napari_spineseg.learning.ahmed2024.reproduce import load_results, reproduce
    from napari_spineseg.learning.ahmed2024.table import as_markdown

    console = Console(json)

    def tell(result: dict[str, Any]) -> None:
        console.record(result)
        dice = {name: figures["dice"] for name, figures in result["published_grid"].items()}
        console.say(
            f"{result['protocol']}, fold {result['fold'] + 1}, {result['network']}: Dice "
            + ", ".join(f"{value:.4f} {name}" for name, value in dice.items() if value is not None)
        )

    try:
        with (
            folder_for(output),
            terminated_like_interrupted(),
            console.hushed(),
            console.bar("ahmed2024") as control,
        ):
            reproduce(settings, data, output, control, tell)
    except KeyboardInterrupt:
        console.note(f"Stopped; the state is in {show(output)}, and the same call goes on from there.")
        raise typer.Exit(130) from None
    table = output / "table.md"
    write_whole(table, as_markdown(load_results(output)))
    for line in table.read_text(encoding="utf-8").splitlines():
        console.line(line)
    console.note(f"The table is in {show(table)}.")


app.command("chen2024", short_help="The tumour network, on synthetic tumours.")(chen2024)
