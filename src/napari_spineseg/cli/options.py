"""Command-line options made from a settings class, so that no default or range is written twice."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer
from annotated_types import Ge, Le
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from napari_spineseg.errors import SettingsError


def command_app(**options: Any) -> typer.Typer:
    """The typer app of one command: plain help, plain one-line errors, tracebacks left as they are."""
    return typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False, **options)


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
    option = typer.Option(flag, help=field.description or field.title, **limits)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=field.get_default(call_default_factory=True),
        annotation=Annotated[field.annotation, option],
    )


def _validated(settings: type[BaseModel], values: dict[str, Any]) -> BaseModel:
    try:
        return settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = "-".join(str(part) for part in first["loc"]).replace("_", "-")
        raise SettingsError(f"--{name}: {first['msg']}.") from None
