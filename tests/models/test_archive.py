import zipfile

import pytest

from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.errors import ModelError, OutputError
from napari_spineseg.models.archive import export_model, import_model
from napari_spineseg.models.versions import add_version


@pytest.fixture
def own(weights):
    return add_version("own", weights)


def test_a_model_travels_as_one_file(own, tmp_path):
    entry = import_model(export_model("own", tmp_path / "own.zip"), name="friend")
    assert entry.key == "friend@1"
    assert load_model(entry.weights).card.sha256 == own.sha256


def test_an_export_replaces_nothing_unless_told(own, tmp_path):
    target = tmp_path / "own.zip"
    target.write_text("mine")
    with pytest.raises(OutputError, match="there already"):
        export_model("own", target)
    assert target.read_text() == "mine"
    assert zipfile.is_zipfile(export_model("own", target, overwrite=True))


def test_changed_weights_are_refused(own, tmp_path):
    target = export_model("own", tmp_path / "own.zip")
    with zipfile.ZipFile(target) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content[:-1] + b"x" if name.endswith("safetensors") else content)
    with pytest.raises(ModelError, match="not those"):
        import_model(target)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_model_is_said(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(ModelError, match="not an exported model"):
        import_model(tmp_path / "x.zip")
