import keras
import numpy as np
import pytest

from keras_dha.commands import CommandError
from keras_dha.commands.export import export, write_keras
from keras_dha.write_file import write_json


@pytest.fixture
def run(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    write_keras(model, tmp_path / "model.keras")
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_saved_model_computes_what_the_model_does(run):
    layer = keras.layers.TFSMLayer(export(run, "saved_model"), call_endpoint="serve")
    x = np.ones((2, 2), np.float32)
    expected = keras.models.load_model(run / "model.keras")(x)
    np.testing.assert_allclose(layer(x)["logits"], expected, atol=1e-6)
    assert names(run) == ["model.keras", "saved_model"]


def test_saved_model_takes_the_users_type(run):
    write_json(run / "result.json", {"data": {"dtype": "uint8"}})
    layer = keras.layers.TFSMLayer(export(run, "saved_model"), call_endpoint="serve")
    assert layer(np.ones((1, 2), np.uint8))["logits"].shape == (1, 3)


def test_exported_again_it_is_replaced(run):
    export(run, "saved_model")
    (run / "saved_model" / "leftover").write_text("")
    export(run, "saved_model")
    assert "leftover" not in names(run / "saved_model")


@pytest.mark.slow
def test_litert_is_written(run):
    assert export(run, "litert").stat().st_size > 0
    assert names(run) == ["model.keras", "model.tflite"]


def test_onnx_without_its_converter_says_what_to_install(run, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CommandError, match="pip install tf2onnx"):
        export(run, "onnx")
    assert names(run) == ["model.keras"]


def test_a_converter_that_cannot_be_imported_is_bad_input(run, monkeypatch):
    def fail(*args, **kwargs):
        raise ImportError("no converter")

    monkeypatch.setattr("keras_dha.commands.export.export_model", fail)
    with pytest.raises(CommandError, match="Received: no converter"):
        export(run, "litert")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ValueError])
@pytest.mark.parametrize("format", ["saved_model", "litert"])
def test_an_export_that_fails_leaves_nothing(run, monkeypatch, error, format):
    """A folder saved_model.partial/ stayed."""

    def fail(model, target, **kwargs):
        if format == "saved_model":
            target.mkdir()
        (target / "half" if format == "saved_model" else target).write_text("half")
        raise error

    monkeypatch.setattr("keras_dha.commands.export.export_model", fail)
    with pytest.raises(error):
        export(run, format)
    assert names(run) == ["model.keras"]


def test_a_model_that_cannot_be_saved_leaves_nothing(run, monkeypatch):
    def fail(path):
        path.write_text("half")
        raise KeyboardInterrupt

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    monkeypatch.setattr(model, "save", fail)
    with pytest.raises(KeyboardInterrupt):
        write_keras(model, run / "other.keras")
    assert names(run) == ["model.keras"]


@pytest.mark.parametrize("name", ["notes.txt/x", "notes.txt/deep/x"])
def test_a_name_below_a_file_is_refused(run, name):
    (run / "notes.txt").write_text("")
    with pytest.raises(CommandError, match=rf"Received: .*{name}, but .*notes.txt cannot be written to. Give another"):
        export(run, "saved_model", run / name)


def test_a_folder_that_may_not_be_written_is_refused(run, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(CommandError, match=rf"Received: {run}/saved_model, but {run} cannot be written to"):
        export(run, "saved_model")


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(CommandError, match=f"Received: {tmp_path}"):
        export(tmp_path, "saved_model")


def test_a_broken_model_is_named(tmp_path):
    (tmp_path / "model.keras").write_text("broken")
    with pytest.raises(CommandError, match=r"Received: .*model\.keras"):
        export(tmp_path, "saved_model")


@pytest.mark.parametrize(("format", "name", "what"), [("litert", "a.lite", "end with .tflite"), ("onnx", "", "exists")])
def test_a_bad_name_is_refused(run, format, name, what):
    with pytest.raises(CommandError, match=what):
        export(run, format, run / name)
