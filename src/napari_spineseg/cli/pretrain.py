"""`spineseg pretrain`: how the bundled models are made, from one recipe."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_spineseg.cli.console import Console, show
from napari_spineseg.cli.options import command_app

app = command_app(help="Train a model from prepared data, as a recipe says.")


@app.command()
def pretrain(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A bundled recipe (lumbar, tumour) or a YAML file.")
    ],
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="Folder that `spineseg dataset prepare` filled.")
    ],
    out: Annotated[
        Path,
        typer.Option("--output", "-o", "--out", metavar="DIR", help="Where weights, card, log and state go."),
    ],
    device: Annotated[
        Literal["cpu", "cuda"], typer.Option("--device", help="Where the network trains.")
    ] = "cpu",
    json: Annotated[bool, typer.Option("--json", help="Print the finished card as one JSON object.")] = False,
) -> None:
    """Train, or go on where a run that was stopped or killed left off.

    The log is DIR/log.jsonl, a line for every 50 or so steps and one for every validation.
    """
    from napari_spineseg.cli.run import terminated_like_interrupted
    from napari_spineseg.learning.pretrain import pretrain
    from napari_spineseg.learning.recipe import find_recipe, read_recipe
    from napari_spineseg.learning.tumour import TumourSettings, is_tumour_recipe, pretrain_tumour

    console = Console(json)
    path = find_recipe(recipe)
    if is_tumour_recipe(path):
        settings, train = read_recipe(path, TumourSettings), pretrain_tumour
    else:
        settings, train = read_recipe(path), pretrain
    try:
        with terminated_like_interrupted(), console.hushed(), console.bar(settings.name) as control:
            card = train(settings, data, out, device, control)
    except KeyboardInterrupt:
        kept = f"the state is in {show(out)}, and the same call goes on from there"
        console.note(f"Stopped; {kept if out.is_dir() else 'training had not begun'}.")
        raise typer.Exit(130) from None
    console.say(
        f"Wrote {out / settings.name}.safetensors; its card is beside it, the log is {out / 'log.jsonl'}."
    )
    console.record(card.model_dump(mode="json"))
