import pytest
from typer.testing import CliRunner

from napari_spineseg.cli.options import command_app, takes
from napari_spineseg.learning.chen2024.settings import MeasureSettings
from napari_spineseg.learning.settings import LearnSettings


@pytest.mark.parametrize(
    ("kind", "switch"), [(LearnSettings, "promote"), (MeasureSettings, "held_out_forms")]
)
def test_what_is_on_by_default_can_be_switched_off(kind, switch, spineseg_home):
    seen = []
    app = command_app()

    @app.command()
    @takes(kind)
    def command(settings: kind) -> None:
        seen.append(getattr(settings, switch))

    for words in ([], [f"--no-{switch.replace('_', '-')}"]):
        assert CliRunner().invoke(app, words).exit_code == 0
    assert seen == [True, False]
