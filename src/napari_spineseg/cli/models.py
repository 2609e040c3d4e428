"""`spineseg models`: what models there are, what a card says, which one is used."""

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_spineseg.cli.console import Console
from napari_spineseg.cli.options import command_app
from napari_spineseg.errors import ModelError
from napari_spineseg.models import ModelEntry, get_model, list_models
from napari_spineseg.models.archive import export_model, import_model
from napari_spineseg.models.versions import remove_version, rollback, use_model

app = command_app(help="List models, look at one, choose, move and remove them.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A name, or NAME@VERSION.")]


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
    name: Name,
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


@app.command("use")
def use(name: Name, json: Json = False) -> None:
    """Use this model wherever none is named."""
    _tell(Console(json), use_model(name), "is used now")


@app.command("rollback")
def rollback_(json: Json = False) -> None:
    """Go back to the model that was used before."""
    _tell(Console(json), rollback(), "is used again")


@app.command("remove")
def remove(name: Name, json: Json = False) -> None:
    """Delete one version of a model of your own."""
    entry = get_model(name)
    remove_version(entry.key)
    _tell(Console(json), entry, "was removed")


@app.command("export")
def export(
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The zip to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it is there.")] = False,
    json: Json = False,
) -> None:
    """Write a model as one file: a zip of its weights and its card."""
    _tell(Console(json), get_model(name), f"was written to {export_model(name, file, overwrite)}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A zip that `models export` wrote.")],
    name: Annotated[str | None, typer.Option("--name", help="Another name for it here.")] = None,
    json: Json = False,
) -> None:
    """Add a model from a file. Nothing in the file is executed."""
    _tell(Console(json), import_model(file, name), "was added")


def _tell(console: Console, entry: ModelEntry, what: str) -> None:
    console.say(f"{entry.key} {what}.")
    console.record(_brief(entry))


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
