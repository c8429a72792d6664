"""A broken or hostile file is an error that says so: no crash, no code that runs, nothing written."""

import contextlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from file_readers import IMAGES, JSON_READERS, LABELS, REFUSES, archive
from hostile_data import spoilt_bytes, spoilt_json

from keras_dha import augmentation, data
from keras_dha.augmentation import TrivialAugment
from keras_dha.commands import CommandError
from keras_dha.reports import write_report

# Numbers near infinity are clipped, or drawn as nothing, where they are no error.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

MOST = 60  # of each kind of damage


def refused(read: Any) -> bool:
    """Whether `read` refuses; any other exception fails the test."""
    try:
        read()
    except REFUSES:
        return True
    return False


def test_decisions(tmp_path: Path) -> None:
    reader = JSON_READERS["decisions"]
    path, good = tmp_path / reader.file, json.loads(reader.good)
    for text in spoilt_json(good, most=MOST):
        path.write_text(text, encoding="utf-8")
        assert refused(lambda: reader.read(path)) or json.loads(text) == good


@pytest.mark.parametrize("name", sorted(set(JSON_READERS) - {"decisions"}))
def test_plain_data(tmp_path: Path, name: str) -> None:
    reader = JSON_READERS[name]
    path = tmp_path / reader.file
    for text in spoilt_json(json.loads(reader.good), most=MOST):
        path.write_text(text, encoding="utf-8")
        refused(lambda: reader.read(path))  # other numbers may make a good file, too


def test_a_policy_cannot_name_what_is_no_part_of_one() -> None:
    policy = TrivialAugment(("Rotate", "Invert")).policy()
    for name in ("os>system", "keras_dha>SearchModel", "Lambda", None):
        with pytest.raises(ValueError, match="must name registered BasicAugmentations"):
            augmentation.load({**policy, "base": [{"name": name, "config": {}}]})


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", ["result.json", "decisions.json", "policy.json", "details.json"])
def test_reports_of_spoilt_runs(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    files: dict[str, Any] = {
        "result.json": {
            "data": {"name": "tiny", "shape": [4, 4, 1]},
            "test": {"accuracy": 0.5},
            "seconds": {"total": 1},
        },
        "decisions.json": {"edge": ["conv"]},
        "policy.json": {"operations": ["Rotate", "Color"], "probabilities": [[0.1, 0.2], [0.3, 0.4]]},
        "details.json": {"probabilities": {"edge": {"conv": 0.75, "skip": 0.25}}, "policy_before": None},
    }
    for file, content in files.items():
        (folder / file).write_text(json.dumps(content))
    (folder / "history.csv").write_text("epoch,loss\n1,2.0\n")
    for text in spoilt_json(files[name], most=8):
        (folder / name).write_text(text, encoding="utf-8")
        refused(lambda: write_report(folder))
        page = folder / "report.html"
        assert not page.exists() or page.read_text().rstrip().endswith("</html>")
        assert "<script>" not in (page.read_text() if page.exists() else "")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def load(path: Path) -> Any:
    return data.load(f"npz:{path}")


def test_damaged_archives(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    for content in spoilt_bytes(archive(x_train=IMAGES, y_train=LABELS), most=300):
        path.write_bytes(content)
        refused(lambda: load(path))
    assert [found.name for found in tmp_path.iterdir()] == ["d.npz"]


class Payload:
    """Runs a command where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("where", ["x_train", "y_train", "class_names"])
def test_pickled_objects_are_not_read(tmp_path: Path, where: str) -> None:
    path, mark = tmp_path / "d.npz", tmp_path / "ran"
    payload = np.array([Payload(mark)] * 2, dtype=object)
    path.write_bytes(archive(**{"x_train": IMAGES, "y_train": LABELS, where: payload}))
    assert refused(lambda: load(path))
    assert not mark.exists()


def test_an_archive_larger_than_memory_is_not_unpacked(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_2_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 3)})
    with zipfile.ZipFile(tmp_path / "header.npz", "w") as file:
        file.writestr("x_train.npy", header.getvalue())  # says more than there is
    assert refused(lambda: load(tmp_path / "header.npz"))


def test_a_bomb_is_seen_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, x_train=np.zeros((1000, 8, 8, 1), np.uint8), y_train=np.arange(1000) % 2)
    memory = {"SC_PHYS_PAGES": 10, "SC_PAGE_SIZE": 1000}
    monkeypatch.setattr(os, "sysconf", memory.__getitem__)
    with pytest.raises(ValueError, match=r"must fit into memory\. Received: \d+ bytes, of 10000"):
        load(path)


def test_truncated_models_are_refused(tmp_path: Path) -> None:
    import keras

    from keras_dha.commands.export import export

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.save(tmp_path / "model.keras")
    whole = (tmp_path / "model.keras").read_bytes()
    for content in spoilt_bytes(whole, most=20):
        (tmp_path / "model.keras").write_bytes(content)
        with contextlib.suppress(CommandError):
            export(tmp_path, "saved_model", tmp_path / "out")


def test_a_lambda_in_a_model_does_not_run(tmp_path: Path) -> None:
    import keras

    from keras_dha.commands.export import export

    mark = tmp_path / "ran"
    layer = keras.layers.Lambda(lambda x, path=str(mark): (os.path.exists(path) or os.mkdir(path), x)[1])
    keras.Sequential([keras.Input((2,)), layer]).save(tmp_path / "model.keras")
    os.rmdir(mark)
    with pytest.raises(CommandError, match="must be a whole Keras model"):
        export(tmp_path, "saved_model")
    assert not mark.exists()
