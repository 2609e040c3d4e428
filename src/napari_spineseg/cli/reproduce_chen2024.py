"""`spineseg reproduce chen2024`: a tumour model's figures beside the published row."""

from pathlib import Path
from typing import Annotated

import typer

from napari_spineseg.cli.console import Console
from napari_spineseg.cli.options import takes
from napari_spineseg.learning.chen2024.settings import MeasureSettings


@takes(MeasureSettings)
def chen2024(
    settings: MeasureSettings,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder that `spineseg dataset prepare` filled.")],
    json: Annotated[bool, typer.Option("--json", help="The result as one JSON object on stdout.")] = False,
) -> None:
    """PENN, the patch-extraction network of Chen et al. 2024, on synthetic tumours in held-out patients.

    Trains nothing: `spineseg pretrain tumour` does. No open spinal tumour MRI with masks is known, so
    the published row and ours are not the same task; the table says so.
    """
    from napari_spineseg.cli.run import terminated_like_interrupted
    from napari_spineseg.learning.chen2024.reproduce import chen2024 as measure
    from napari_spineseg.learning.chen2024.table import as_markdown

    console = Console(json)
    try:
        with terminated_like_interrupted(), console.hushed(), console.bar("chen2024") as control:
            result = measure(settings, data, control)
    except KeyboardInterrupt:
        console.note("Stopped; there are no figures.")
        raise typer.Exit(130) from None
    console.record(result)
    for line in as_markdown(result).splitlines():
        console.line(line)
