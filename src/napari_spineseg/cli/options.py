"""Command-line options made from a settings class, so that no default or range is written twice."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from annotated_types import Ge, Le
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from typer.core import TyperCommand

from napari_spineseg.errors import SettingsError

OutputFolder = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace results that are there.")]
JsonLines = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]
Volume = Annotated[
    int | None, typer.Option(metavar="N", help="Which volume of a 4D file, counted from 0.", min=0)
]
Series = Annotated[
    str | None,
    typer.Option(metavar="SERIES", help="Which series of a DICOM folder: its number, description or UID."),
]


_NOTHING = "''"
"""What an empty name among others is called, as a shell writes it; there is no such file."""


class _Command(TyperCommand):
    """Takes no empty words, and its usage line reads SCAN... where newer typers write {SCAN}..."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse what is empty, as a script with an empty variable writes it.

        A path of no letters would mean the folder one is in, and a name of none the default.
        """
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        for parameter in self.params:
            values = given.get(parameter.name)
            values = values if isinstance(values, list | tuple) else (values,)
            if "" not in values or parameter.default == "":
                continue
            if parameter.nargs != -1 or not any(values):
                raise SettingsError(f"{_called(parameter)} is empty; name something, or leave it out.")
            # One bad scan among others, which are still done: it gets a line of its own.
            args = [word or _NOTHING for word in args]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words of the usage line."""
        pieces = (re.sub(r"^\{(.*)\}", r"\1", piece) for piece in super().collect_usage_pieces(ctx))
        # A metavar of an argument that may be repeated brings dots of its own in older typers.
        return [re.sub(r"(\.\.\.)+$", "...", piece) for piece in pieces]


def _called(parameter: Any) -> str:
    """A parameter as the help page calls it: `--output`, `SCAN`."""
    name = max(parameter.opts, key=len)
    return name if name.startswith("-") else parameter.metavar or name.upper()


class _App(typer.Typer):
    """An app whose commands are of our kind."""

    def command(self, name: str | None = None, **options: Any) -> Callable[..., Any]:
        """As typer's."""
        return super().command(name, cls=_Command, **options)


def command_app(**options: Any) -> typer.Typer:
    """The typer app of one command: plain help, plain one-line errors, tracebacks left as they are."""
    return _App(
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **options,
    )


def takes(settings: type[BaseModel]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a command whose parameter `settings` is filled from options of the fields' names.

    >>> class Sizes(BaseModel):
    ...     width: int = 3
    >>> @takes(Sizes)
    ... def command(name: str, settings: Sizes): ...
    >>> list(inspect.signature(command).parameters)
    ['name', 'width']
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def called(**values: Any) -> Any:
            chosen = {name: values.pop(name) for name in settings.model_fields}
            return command(**values, settings=_validated(settings, chosen))

        own = inspect.signature(command, eval_str=True).parameters.values()
        parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in own if p.name != "settings"]
        parameters += [_parameter(name, field) for name, field in settings.model_fields.items()]
        called.__signature__ = inspect.Signature(parameters)
        hints = get_type_hints(command, include_extras=True)
        called.__annotations__ = {p.name: hints.get(p.name, p.annotation) for p in parameters}
        del called.__wrapped__
        return called

    return decorate


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    """The option of one settings field."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    flag = str(extra.get("flag") or f"--{name.replace('_', '-')}")
    limits = {
        key: getattr(limit, attribute)
        for limit in field.metadata
        for kind, attribute, key in ((Ge, "ge", "min"), (Le, "le", "max"))
        if isinstance(limit, kind)
    }
    option = typer.Option(flag, help=field.description or field.title, metavar=_metavar(field), **limits)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=field.get_default(call_default_factory=True),
        annotation=Annotated[field.annotation, option],
    )


def _metavar(field: FieldInfo) -> str | None:
    """What stands for a value on the help page; None where typer lists the choices, or there is no value."""
    return {int: "N", float: "X", str: "NAME", Path: "DIR"}.get(field.annotation)


def _validated(settings: type[BaseModel], values: dict[str, Any]) -> BaseModel:
    try:
        return settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = "-".join(str(part) for part in first["loc"]).replace("_", "-")
        raise SettingsError(f"--{name}: {first['msg']}.") from None
