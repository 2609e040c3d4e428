"""`spineseg models`: what models there are, and what a card says."""

import json as json_module
from typing import Annotated, Any

import typer

from napari_spineseg.cli.console import Console
from napari_spineseg.cli.options import command_app
from napari_spineseg.errors import ModelError
from napari_spineseg.models import ModelEntry, get_model, list_models

app = command_app(help="List the models, and look at one.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """List every version of every model; a star marks the one that is used when none is named."""
    console = Console(json)
    entries = list_models()
    default = _key_in_use()
    width = max((len(entry.key) for entry in entries), default=0)
    for entry in entries:
        star = "*" if entry.key == default else " "
        console.line(f"{star} {entry.key:{width}}  {entry.title}")
        console.record(_brief(entry) | {"in_use": entry.key == default})


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name, or NAME@VERSION.")],
    json: Json = False,
) -> None:
    """Show the card of a model: what it was trained on, its figures, and what it must not be used for."""
    console = Console(json)
    entry = get_model(name)
    console.record(_brief(entry) | {"card": entry.card})
    console.line(f"{entry.key}: {entry.title}")
    console.line(f"weights: {entry.weights}")
    for key, value in entry.card.items():
        if key not in ("name", "version", "title") and value not in (None, "", [], {}):
            _show_item(console, key, value)


def _show_item(console: Console, key: str, value: Any) -> None:
    if isinstance(value, dict | list):
        console.line(f"{key}:")
        for line in json_module.dumps(value, indent=2, ensure_ascii=False).splitlines()[1:-1]:
            console.line(line)
    else:
        console.line(f"{key}: {value}")


def _key_in_use() -> str | None:
    """The model that is used when none is named; None if it is gone, which must not hide the others."""
    try:
        return get_model().key
    except ModelError:
        return None


def _brief(entry: ModelEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "version": entry.version,
        "title": entry.title,
        "bundled": entry.bundled,
        "structures": entry.structures,
        "sha256": entry.sha256,
        "weights": entry.weights,
    }
