"""Draw the pictures of the documentation anew, into `docs/images/`: one function a picture.

    python scripts/make_docs_pictures.py [NAME ...]

Without names all of them are drawn. A picture shows phantoms, never a patient.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import training_pictures
from PIL import Image, ImageDraw, ImageFont

FOLDER = Path(__file__).parents[1] / "docs" / "images"
_TILE, _GAP = 360, 8
_WINDOW = (1280, 860)


def phantom_sequences() -> Image.Image:
    """One person in T1, T2 and STIR, and the labels that come with them."""
    from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom

    made = [make_phantom(PhantomSettings(seed=2, sequence=q)) for q in ("T1", "T2", "STIR")]
    middle = len(made[0][0].voxels) // 2
    tiles = [_tile(scan.voxels[middle], scan.sequence) for scan, _ in made]
    _, truth = made[1]
    return _side_by_side([*tiles, _tile(_tinted(made[1][0].voxels[middle], truth.labels[middle]), "labels")])


def phantom_slices() -> Image.Image:
    """From the midline to the side: canal, facets, foramina, pedicles, transverse processes."""
    from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom

    scan, truth = make_phantom(PhantomSettings(seed=2))
    middle = len(scan.voxels) // 2
    places = [scan.affine[0, 3] + scan.affine[0, 0] * (middle + k) for k in (0, 2, 4, 6)]
    tiles = [
        _tile(_tinted(scan.voxels[middle + k], truth.labels[middle + k], 0.25), f"{x:.0f} mm to the right")
        for k, x in zip((0, 2, 4, 6), places, strict=True)
    ]
    return _side_by_side(tiles)


def phantom_variants() -> Image.Image:
    """What settings can change."""
    from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom

    cases = {
        "six lumbar vertebrae": {"seed": 6, "lumbar_levels": 6},
        "slip of 8 mm at L4/L5": {"seed": 4, "slip_mm": 8},
        "degenerate discs": {"seed": 9, "degenerate_discs": (201, 202, 203, 204, 205)},
        "no saturation band": {"seed": 8, "saturation_band": False},
    }
    tiles = []
    for words, choices in cases.items():
        scan, _ = make_phantom(PhantomSettings(**choices))
        tiles.append(_tile(scan.voxels[len(scan.voxels) // 2], words))
    return _side_by_side(tiles)


def model_failures() -> Image.Image:
    """Where the bundled model is worst on phantoms: what is there above, what it says below."""
    from napari_spineseg.segment import segment
    from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom

    cases = {
        "noisy STIR": {"seed": 7, "sequence": "STIR", "noise": 0.15},
        "strong noise": {"seed": 4, "noise": 0.18},
        "scoliosis of 45 degrees": {"seed": 5, "scoliosis_deg": 45},
        "slices of 8 mm": {"seed": 8, "spacing_mm": (8.0, 1.2, 1.2)},
    }
    there, said = [], []
    for words, choices in cases.items():
        scan, truth = make_phantom(PhantomSettings(**choices))
        labels = segment(scan).segmentation.labels
        worst = int((labels != truth.labels).sum((1, 2)).argmax())
        there.append(_tile(_tinted(scan.voxels[worst], truth.labels[worst]), words))
        said.append(_tile(_tinted(scan.voxels[worst], labels[worst]), "bundled model"))
    return _stacked([_side_by_side(there), _side_by_side(said)])


def training_painted() -> Image.Image:
    """What becomes of a label volume that has no image."""
    return _rows(training_pictures.painted(), 3)


def training_spoiled() -> Image.Image:
    """What a slice may go through before it trains."""
    return _rows(training_pictures.spoiled(), 6)


def _rows(tiles: training_pictures.Tiles, length: int) -> Image.Image:
    pictures = [_tile((image * 255).astype(np.uint8), words) for image, words in tiles]
    return _stacked([_side_by_side(pictures[k : k + length]) for k in range(0, len(pictures), length)])


def tumours_painted() -> Image.Image:
    """Each kind of tumour in a phantom: the slice, and what the mask holds."""
    from napari_spineseg.synthesis.lesions import TUMOURS, Kind

    return _stacked([_lesions((*TUMOURS, Kind.POSTERIOR), sequence) for sequence in ("T1", "T2")])


def tumours_look_alikes() -> Image.Image:
    """What is painted, but is no tumour and in no mask."""
    from napari_spineseg.synthesis.lesions import LOOK_ALIKES

    return _stacked([_lesions(LOOK_ALIKES[:4], "T2"), _lesions(LOOK_ALIKES[4:], "T2")])


def segment_result() -> Image.Image:
    """The window after *Segment* on the T2 sample."""
    with _window() as (viewer, page):
        viewer.open_sample("spineseg", "lumbar_t2")
        _segment(page)
        return _grab(viewer)


def segment_start() -> Image.Image:
    """The panel before there is a scan."""
    with _window() as (_, page):
        return _grab_panel(page)


def correct_page() -> Image.Image:
    """The Correct page at a doubtful place: a vertebra that was cut short."""
    with _window() as (viewer, _):
        page, labels = _to_correct(viewer)
        labels.selected_label = 3
        _wait_until(lambda: page.doubts.doubts and page.doubts._job is None)
        page.doubts.step(1)
        viewer.window._qt_window.resize(_WINDOW[0], 1120)  # so that the whole page is seen
        return _grab(viewer)


def _to_correct(viewer: Any) -> tuple[Any, Any]:
    """The Correct page on the T2 sample, whose labels are spoilt in two places."""
    viewer.open_sample("spineseg", "lumbar_t2_with_labels")
    labels = next(layer for layer in viewer.layers if hasattr(layer, "selected_label"))
    middle = labels.data.shape[0] // 2
    body = np.argwhere(labels.data[middle] == 3)
    top, _ = body.mean(0).astype(int)
    spoilt = labels.data.copy()
    spoilt[:, top:][spoilt[:, top:] == 3] = 0
    spoilt[:, top - 6 : top + 6][spoilt[:, top - 6 : top + 6] == 100] = 0
    # Before the page is made, so that nothing is kept of it as if somebody had drawn it.
    labels.data = spoilt
    viewer.layers.selection.active = labels
    viewer.dims.set_current_step(0, middle)
    dock = next(iter(viewer.window.dock_widgets.values()))
    page = dock.show_page("Correct")
    page.offer.hide()
    return page, labels


def prepare_page() -> Image.Image:
    """A recipe on the T2 sample, previewed on the right half of the slice."""
    with _window() as (viewer, segment_page):
        dock = segment_page.parentWidget().parentWidget()
        page = dock.show_page("Prepare")
        page.offer.hide()
        viewer.open_sample("spineseg", "lumbar_t2")
        page.steps.set_steps([_step("crop", head_mm=20, feet_mm=20), _step("clip", upper_percent=97)])
        page.steps.list.setCurrentRow(1)
        page.preview_button.click()
        _wait_until(lambda: page.preview.layer is not None)
        page.swipe.slider.setValue(50)
        return _grab(viewer)


def learn_page() -> Image.Image:
    """The Learn page after a run on one corrected phantom in little signal: curves, verdict, versions."""
    with _own_home() as home, _window() as (viewer, segment_page):
        store = _corrected_phantom(home / "corrections")
        page = segment_page.parentWidget().parentWidget().show_page("Learn")
        page.store.setText(str(store))
        page.look()
        page.run_bar.button.click()
        _wait_until(lambda: page.run is None)
        page.store.setText("corrections")
        viewer.window._qt_window.resize(_WINDOW[0], 1900)  # so that the whole page is seen
        return _grab_panel(page)


def learn_style() -> Image.Image:
    """A style that one corrected slice shows, and another phantom's labels turned into it."""
    from napari_spineseg.anatomy import CANAL_LABEL, FIRST_DISC_LABEL, Structure
    from napari_spineseg.corrections.style import fit_style

    corrected, other = (_sagittal_structures(seed) for seed in (2, 11))
    slim = _inside(corrected[1], _STYLE_PIXEL_MM)
    style = fit_style([corrected[1][None]], [slim[None]], [_STYLE_PIXEL_MM], len(Structure), Structure.CANAL)
    turned = style.labels(other[1][None], _STYLE_PIXEL_MM)[0]
    shown = (
        (*corrected, "what the model says"),
        (corrected[0], slim, "how it was corrected"),
        (*other, "another spine"),
        (other[0], turned, "in the style of the correction"),
    )
    numbers = np.array([0, 1, FIRST_DISC_LABEL, CANAL_LABEL, 0])  # A colour each
    return _side_by_side([_tile(_tinted(grey, numbers[labels]), words) for grey, labels, words in shown])


_STYLE_PIXEL_MM = 0.5


def _sagittal_structures(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The middle slice of a phantom and its structures."""
    from napari_spineseg.anatomy import levels_to_structures
    from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom

    scan, truth = make_phantom(PhantomSettings(seed=seed, spacing_mm=(4.0, _STYLE_PIXEL_MM, _STYLE_PIXEL_MM)))
    middle = len(scan.voxels) // 2
    return scan.voxels[middle], levels_to_structures(truth.labels)[middle].astype(np.uint8)


def _inside(structures: np.ndarray, pixel_mm: float) -> np.ndarray:
    """Discs drawn 2 mm inside their edges, and no arches."""
    from scipy.ndimage import distance_transform_edt

    from napari_spineseg.anatomy import Structure

    slim = structures.copy()
    disc = structures == Structure.DISC
    slim[disc & (distance_transform_edt(disc) * pixel_mm < 2)] = 0
    rows, columns = np.nonzero(structures == Structure.CANAL)
    front = np.interp(
        np.arange(len(slim)), np.unique(rows), [columns[rows == r].min() for r in np.unique(rows)]
    )
    behind = np.arange(slim.shape[1])[None] > front[:, None] + 2 / pixel_mm
    slim[behind & (structures == Structure.VERTEBRA)] = 0
    return slim


def _corrected_phantom(folder: Path) -> Path:
    """A store with one corrected scan: a phantom that is blurred and noisy, and what the model says of it."""
    from scipy.ndimage import gaussian_filter

    from napari_spineseg.corrections.store import CorrectionsStore
    from napari_spineseg.scan import Scan
    from napari_spineseg.segment import SegmentSettings, segment
    from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom

    scan, truth = make_phantom(PhantomSettings(seed=31, sequence="T2"))
    blurred = gaussian_filter(scan.voxels.astype(np.float32), (0, 2, 2))
    noise = 0.12 * blurred.std() * np.random.default_rng(31).standard_normal(blurred.shape)
    voxels = np.abs(0.3 * blurred + 0.35 * blurred.max() + noise).astype(np.int16)
    scan = Scan(voxels, scan.affine, "lumbar_t2")
    store = CorrectionsStore(folder, create=True)
    store.add_correction(scan, truth, segment(scan, SegmentSettings()).segmentation)
    store.find(scan).say("done")
    return folder


def measure_report() -> Image.Image:
    """The pictures of a report: levels, lines and the view from the front, of a phantom with a slip."""
    from napari_spineseg.measurement import measure
    from napari_spineseg.measurement.picture import pictures_of
    from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom

    scan, truth = make_phantom(PhantomSettings(seed=4, slip_mm=6, scoliosis_deg=12))
    pictures = [Image.fromarray(p.pixels) for p in pictures_of(measure(truth, scan), truth, scan)]
    page = Image.new("RGB", (sum(p.width + 2 * _GAP for p in pictures), pictures[0].height), "#ffffff")
    left = 0
    for picture in pictures:
        page.paste(picture, (left, 0))
        left += picture.width + 2 * _GAP
    return page.resize((1200, round(1200 * page.height / page.width)), Image.Resampling.LANCZOS)


def measure_page() -> Image.Image:
    """The Measure page on a phantom whose L4 has slipped: the slip chosen, its lines in the picture."""
    from napari.layers import Layer

    from napari_spineseg.io.layers import layer_tuple_for_scan, layer_tuple_for_segmentation
    from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom

    with _window() as (viewer, segment_page):
        page = segment_page.parentWidget().parentWidget().show_page("Measure")
        page.offer.hide()
        scan, truth = make_phantom(PhantomSettings(seed=4, slip_mm=6))
        viewer.add_layer(Layer.create(*layer_tuple_for_scan(scan)))
        labels = viewer.add_layer(Layer.create(*layer_tuple_for_segmentation(truth)))
        labels.opacity = 0.45
        page.run_bar.button.click()
        _wait_until(lambda: page.job is None)
        page.panel.show_kind("disc")
        rows = page.panel.rows
        slip = next(n for n, figure in enumerate(rows[0]) if figure.key == "slip")
        level = next(n for n, row in enumerate(rows) if row[0].level == "L4/L5")
        page.panel.table.setCurrentCell(level, slip)
        return _grab(viewer)


@contextmanager
def _own_home() -> Iterator[Path]:
    """A home for models and corrections that is empty, and gone afterwards."""
    import os
    from tempfile import TemporaryDirectory

    before = os.environ.get("SPINESEG_HOME")
    with TemporaryDirectory() as name:
        os.environ["SPINESEG_HOME"] = name
        try:
            yield Path(name)
        finally:
            os.environ.pop("SPINESEG_HOME")
            if before is not None:
                os.environ["SPINESEG_HOME"] = before


def _step(name: str, **settings: Any) -> Any:
    from napari_spineseg.preprocessing import make_step

    return make_step(name, settings)


PICTURES: dict[str, Callable[[], Image.Image]] = {
    "phantom-sequences": phantom_sequences,
    "phantom-slices": phantom_slices,
    "phantom-variants": phantom_variants,
    "model-failures": model_failures,
    "training-painted": training_painted,
    "training-spoiled": training_spoiled,
    "tumours-painted": tumours_painted,
    "tumours-look-alikes": tumours_look_alikes,
    "prepare-page": prepare_page,
    "segment-start": segment_start,
    "segment-result": segment_result,
    "correct-page": correct_page,
    "learn-page": learn_page,
    "learn-style": learn_style,
    "measure-page": measure_page,
    "measure-report": measure_report,
}


def _lesions(kinds: Any, sequence: str) -> Image.Image:
    """A tile for each kind: 80 mm around it, in a phantom that hardly has slices too thick to show it."""
    from napari_spineseg.anatomy import levels_to_structures
    from napari_spineseg.synthesis.lesion_sites import Slab
    from napari_spineseg.synthesis.lesions import draw, paint
    from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom

    size = (3.0, 0.5, 0.5)
    settings = PhantomSettings(seed=8, sequence=sequence, spacing_mm=size, field_of_view_mm=(27, 220, 150))
    scan, truth = make_phantom(settings)
    image = scan.voxels / np.percentile(scan.voxels, 99)
    x = np.arange(len(image)) * size[0]
    slab = Slab(image.astype(np.float32), levels_to_structures(truth.labels), x, size[1])
    tiles = []
    for kind in kinds:
        drawn = (draw(kind, slab, len(x) // 2, seed) for seed in range(3, 99))
        tries = ((lesion, paint(slab, [lesion], sequence)) for lesion in drawn if lesion)
        lesion, painted = next((lesion, painted) for lesion, painted in tries if painted.lesions)
        nearest = int(np.abs(x - lesion.centre[0]).argmin())
        row, column = (
            int(np.clip(c / size[1], 80, n - 80))
            for c, n in zip(lesion.centre[1:], image.shape[1:], strict=True)
        )
        window = nearest, slice(row - 80, row + 80), slice(column - 80, column + 80)
        rgb = np.repeat((painted.image[window].clip(0, 1) * 255).astype(np.uint8)[..., None], 3, 2)
        rgb[_rim(painted.tumours[window] > 0)] = (213, 94, 0)
        tiles.append(_tile(rgb, f"{kind.value}, {sequence}"))
    return _side_by_side(tiles)


def _rim(mask: np.ndarray) -> np.ndarray:
    from scipy.ndimage import binary_dilation

    return binary_dilation(mask) & ~mask


def _stacked(rows: list[Image.Image]) -> Image.Image:
    page = Image.new(
        "RGB", (max(r.width for r in rows), sum(r.height + _GAP for r in rows) - _GAP), "#16181c"
    )
    for k, row in enumerate(rows):
        page.paste(row, (0, k * (_TILE + _GAP)))
    return page


@contextmanager
def _window() -> Iterator[tuple[Any, Any]]:
    """A napari window with the SpineSeg panel: (viewer, Segment page). Needs a screen."""
    import napari
    from napari.settings import get_settings

    get_settings().appearance.theme = "dark"
    viewer = napari.Viewer(show=False, show_welcome_screen=False)
    viewer.window.show()
    viewer.window.resize(*_WINDOW)
    _, dock = viewer.window.add_plugin_dock_widget("spineseg", "SpineSeg")
    page = dock.show_page("Segment")
    page.offer.hide()
    try:
        yield viewer, page
    finally:
        viewer.close()


def _segment(page: Any) -> None:
    page.run_bar.button.click()
    _wait_until(lambda: page.job is None)
    if page.session.segmentation is None:
        sys.exit(f"The sample was not segmented: {page.card.sentences}")


def _wait_until(condition: Callable[[], bool]) -> None:
    from qtpy.QtWidgets import QApplication

    while not condition():
        QApplication.processEvents()
        time.sleep(0.01)


def _grab(viewer: Any) -> Image.Image:
    """The whole window."""
    _settle()
    return Image.fromarray(viewer.window.screenshot(canvas_only=False, flash=False)).convert("RGB")


def _grab_panel(page: Any) -> Image.Image:
    """The panel alone."""
    from qtpy.QtGui import QImage

    _settle()
    image = page.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint8)
    rows = rows.reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()]
    picture = rows.reshape(image.height(), image.width(), 3)
    # What is below the last widget is empty.
    used = np.flatnonzero((picture != picture[-1, 0]).any(axis=(1, 2)))
    return Image.fromarray(picture[: used[-1] + 12].copy())


def _settle(seconds: float = 1.0) -> None:
    """Let napari draw what it still has to draw."""
    until = time.monotonic() + seconds
    _wait_until(lambda: time.monotonic() > until)


def _tinted(image: np.ndarray, labels: np.ndarray, opacity: float = 0.45) -> np.ndarray:
    """A slice (rows, columns) with its labels in their colours: (rows, columns, 3) uint8."""
    from napari_spineseg.anatomy import colour_of

    rgb = np.repeat(_grey(image)[..., None], 3, axis=2).astype(np.float32)
    for label in np.unique(labels[labels > 0]):
        colour = np.array([int(colour_of(int(label))[k : k + 2], 16) for k in (1, 3, 5)])
        here = labels == label
        rgb[here] = (1 - opacity) * rgb[here] + opacity * colour
    return rgb.astype(np.uint8)


def _grey(image: np.ndarray) -> np.ndarray:
    top = max(float(np.percentile(image, 99)), 1.0)
    return np.clip(image * (255 / top), 0, 255).astype(np.uint8)


def _tile(image: np.ndarray, words: str) -> Image.Image:
    """A square slice, grey or coloured, with a word on it."""
    picture = Image.fromarray(image if image.ndim == 3 else _grey(image)).convert("RGB")
    picture = picture.resize((_TILE, _TILE), Image.Resampling.BICUBIC)
    font = ImageFont.load_default(size=15)
    ImageDraw.Draw(picture).text((8, 6), words, fill="#ffffff", font=font)
    return picture


def _side_by_side(tiles: list[Image.Image]) -> Image.Image:
    page = Image.new("RGB", (len(tiles) * (_TILE + _GAP) - _GAP, _TILE), "#16181c")
    for k, tile in enumerate(tiles):
        page.paste(tile, (k * (_TILE + _GAP), 0))
    return page


def main(names: list[str]) -> None:
    """Draw the named pictures, or all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    unknown = set(names) - PICTURES.keys()
    if unknown:
        sys.exit(f"No such picture: {', '.join(sorted(unknown))}. There are: {', '.join(PICTURES)}.")
    for name in names or PICTURES:
        path = FOLDER / f"{name}.png"
        PICTURES[name]().save(path, optimize=True)
        print(path.relative_to(FOLDER.parents[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
