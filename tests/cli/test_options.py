from typing import Annotated, Literal

import pytest
import typer
from pydantic import BaseModel, Field
from typer.testing import CliRunner

from napari_spineseg.cli.options import command_app, takes
from napari_spineseg.errors import SettingsError


class Sizes(BaseModel):
    width: int = Field(3, ge=1, le=9, description="How wide")
    edge_mode: Literal["soft", "hard"] = "soft"
    deep: bool = False
    name: str = Field(default_factory=lambda: "made")


seen = []


@takes(Sizes)
def command(path: str, settings: Sizes, loud: Annotated[bool, typer.Option("--loud")] = False) -> None:
    """Do it."""
    seen.append((path, settings, loud))


@pytest.fixture
def call():
    app = command_app()
    app.command()(command)
    seen.clear()
    return lambda *words: CliRunner().invoke(app, list(words))


def test_defaults_are_the_settings_own(call):
    assert call("x").exit_code == 0
    assert seen == [("x", Sizes(), False)]


def test_every_field_is_an_option(call):
    call("x", "--width", "5", "--edge-mode", "hard", "--deep", "--name", "n", "--loud")
    assert seen == [("x", Sizes(width=5, edge_mode="hard", deep=True, name="n"), True)]


def test_help_says_what_the_field_says(call):
    text = call("--help").output
    assert "How wide" in text
    assert "soft|hard" in text
    assert "1<=x<=9" in text
    assert "settings" not in text


def test_help_is_for_people(call):
    """No name of a Python type, no braces, and -h will do."""
    text = call("-h").output
    assert text.splitlines()[0].lower().endswith("[options] path")
    assert "--width N " in text
    assert "--name NAME " in text
    assert "int" not in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    "words", [("--width", "10"), ("--edge-mode", "round"), ("--width", "much"), ("--high", "3")]
)
def test_bad_values_are_a_bad_call(call, words):
    assert call("x", *words).exit_code == 2
    assert seen == []


def test_what_only_the_settings_know_is_said_in_one_sentence():
    class Even(BaseModel):
        number: int = Field(2, multiple_of=2)

    @takes(Even)
    def only_even(settings: Even) -> None:
        raise AssertionError

    with pytest.raises(SettingsError, match="--number: Input should be a multiple of 2"):
        only_even(number=3)


@pytest.mark.parametrize("words", [("",), ("x", "--name", ""), ("x", "--name=")])
def test_what_is_empty_is_refused(call, words):
    result = call(*words)
    assert isinstance(result.exception, SettingsError) and "is empty" in str(result.exception)
    assert seen == []


def test_an_empty_name_among_others_is_a_bad_scan_and_the_others_are_done():
    app = command_app()
    told = []

    @app.command()
    def scans(names: list[str]) -> None:
        told.extend(names)

    assert CliRunner().invoke(app, ["", "x"]).exit_code == 0 and told == ["''", "x"]
    assert isinstance(CliRunner().invoke(app, ["", ""]).exception, SettingsError)
