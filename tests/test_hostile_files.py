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
from hostile_data import spoilt_bytes, spoilt_json

from keras_dha import augmentation, data
from keras_dha.augmentation import DADAPolicy, PairPolicy, RandAugment, RelaxedPolicy, TrivialAugment
from keras_dha.commands import CommandError
from keras_dha.commands.run_folder import RunFolder
from keras_dha.costs import LatencyTable
from keras_dha.reports import write_report
from keras_dha.spaces import Decisions, NASBench201Space

# Numbers near infinity are clipped, or drawn as nothing, where they are no error.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

MOST = 60  # of each kind of damage
REFUSES = (ValueError, OSError, CommandError)
SPACE = NASBench201Space((8, 8, 1), 3, channels=2, cells_per_stage=1)


def refused(read: Any) -> bool:
    """Whether `read` refuses; any other exception fails the test."""
    try:
        read()
    except REFUSES:
        return True
    return False


def test_decisions(tmp_path: Path) -> None:
    path = tmp_path / "decisions.json"
    good = json.loads(SPACE.random_decisions(seed=0).to_json())
    for text in spoilt_json(good, most=MOST):
        path.write_text(text, encoding="utf-8")
        assert refused(lambda: Decisions.load(path).validate(SPACE.choices())) or json.loads(text) == good


@pytest.mark.parametrize("kind", [DADAPolicy, PairPolicy, RandAugment, RelaxedPolicy, TrivialAugment])
def test_policies(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "policy.json"
    good = json.loads(json.dumps(kind(("Rotate", "Invert")).policy()))
    for text in spoilt_json(good, most=MOST):
        path.write_text(text, encoding="utf-8")
        refused(lambda: augmentation.load(path))  # other numbers may make a policy, too


def test_a_policy_cannot_name_what_is_no_part_of_one() -> None:
    policy = TrivialAugment(("Rotate", "Invert")).policy()
    for name in ("os>system", "keras_dha>SearchModel", "Lambda", None):
        with pytest.raises(ValueError, match="must name registered BasicAugmentations"):
            augmentation.load({**policy, "base": [{"name": name, "config": {}}]})


def test_latency_tables(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    good = json.loads(
        json.dumps(LatencyTable({"a": 1.0, "b": 2.0}, runtime="litert", agreement=[(1.0, 1.1)]).get_config())
    )
    for text in spoilt_json(good, most=MOST):
        path.write_text(text, encoding="utf-8")
        refused(lambda: LatencyTable.load(path))


def test_runs_that_go_on(tmp_path: Path) -> None:
    good = {"arguments": {"data": "digits", "epochs": 2}, "command": "keras-dha search", "data": {"checksum": "0"}}
    for text in spoilt_json(good, most=MOST):
        (tmp_path / "run.json").write_text(text, encoding="utf-8")
        refused(RunFolder(tmp_path).read_run)


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


def archive(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


X, Y = np.zeros((20, 4, 4, 1), np.uint8), np.arange(20) % 2


def load(path: Path) -> Any:
    return data.load(f"npz:{path}")


def test_damaged_archives(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    for content in spoilt_bytes(archive(x_train=X, y_train=Y), most=300):
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
    path.write_bytes(archive(**{"x_train": X, "y_train": Y, where: payload}))
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
