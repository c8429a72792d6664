import csv
import dataclasses
import io
import json
import resource
import signal
import sys

import keras
import numpy as np
import pytest

from keras_dha.commands import CommandError, CommandInterrupted, SearchOptions
from keras_dha.commands import search as search_module
from keras_dha.commands.epoch_record import EpochRecord
from keras_dha.commands.results import pick_examples
from keras_dha.commands.search import describe, make_model, search, versions
from keras_dha.commands.team import Team

OPTIONS = SearchOptions(data="digits", epochs=3, batch_size=4, seed=1)
FILES = {"model.keras", "saved_model", "decisions.json", "policy.json", "details.json", "result.json", "run.json"}
FILES |= {"history.csv", "report.html"}


def rows(folder):
    return list(csv.DictReader((folder / "history.csv").read_text().splitlines()))


def test_search_leaves_all_files_and_no_others(tiny, tmp_path):
    message = search(OPTIONS, str(tmp_path / "run"), quiet=True)
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    assert "report.html" in message


def test_a_log_file_gets_a_line_an_epoch(tiny, tmp_path, monkeypatch):
    told = io.StringIO()
    monkeypatch.setattr(sys, "stdout", told)
    search(OPTIONS, str(tmp_path / "run"))
    assert [line for line in told.getvalue().splitlines() if line.startswith("Epoch ")] == [
        "Epoch 1/3",
        "Epoch 2/3",
        "Epoch 3/3",
    ]
    assert "\b" not in told.getvalue()
    assert "\x1b" not in told.getvalue()


def test_result_holds_the_figures(tiny, tmp_path, source):
    search(OPTIONS, str(tmp_path / "run"), quiet=True)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    figures = tiny[0].evaluate(source.x_test, source.y_test, verbose=0, return_dict=True)
    assert result["test"]["accuracy"] == pytest.approx(figures["accuracy"])
    assert result["parameters"] == 4 * 2 + 2
    assert result["epochs"] == {"search": 1, "settle": 2}
    assert result["arguments"]["seed"] == result["seed"] == 1
    assert result["versions"] == versions()
    assert result["data"]["classes"] == 2
    assert result["hyperparameters"] == {"learning_rate": 0.01}
    assert set(result["seconds"]) == {"load", "search", "settle", "derive", "evaluate", "save", "total"}


def test_the_model_file_is_the_trained_model(tiny, tmp_path, source):
    search(OPTIONS, str(tmp_path / "run"), quiet=True)
    loaded = keras.models.load_model(tmp_path / "run" / "model.keras", compile=False)
    np.testing.assert_allclose(loaded(source.x_test), tiny[0](source.x_test), atol=1e-6)


def test_history_has_a_row_an_epoch(tiny, tmp_path):
    search(OPTIONS, str(tmp_path / "run"), quiet=True)
    history = rows(tmp_path / "run")
    assert [row["epoch"] for row in history] == ["1", "2", "3"]
    assert {"loss", "accuracy", "val_loss", "phase", "seconds"} <= set(history[0])


@pytest.mark.parametrize("epoch", [0, 2])
def test_an_interrupted_search_goes_on_as_if_it_never_stopped(tiny, tmp_path, monkeypatch, tiny_search, epoch):
    search(OPTIONS, str(tmp_path / "whole"), quiet=True)
    monkeypatch.setattr(tiny_search, "interrupt_in_epoch", epoch)
    out = str(tmp_path / "run")
    with pytest.raises(CommandInterrupted, match=rf"keras-dha search --data digits --out {out} --resume"):
        search(OPTIONS, out, quiet=True)
    monkeypatch.setattr(tiny_search, "interrupt_in_epoch", None)
    search(SearchOptions(), out, resume=True, quiet=True)
    assert tiny[-1].trained_epochs == list(range(epoch, 3))
    np.testing.assert_allclose(tiny[-1].get_weights()[0], tiny[0].get_weights()[0], atol=1e-6)
    assert [row["epoch"] for row in rows(tmp_path / "run")] == ["1", "2", "3"]
    losses = [[float(row["loss"]) for row in rows(tmp_path / name)] for name in ("run", "whole")]
    np.testing.assert_allclose(*losses, atol=1e-6)


def test_the_message_says_how_far_it_came(tiny, tmp_path, monkeypatch, tiny_search):
    monkeypatch.setattr(tiny_search, "interrupt_in_epoch", 2)
    with pytest.raises(CommandInterrupted, match="after epoch 2 of 3"):
        search(OPTIONS, str(tmp_path / "run"), quiet=True)
    assert not (tmp_path / "run" / "result.json").exists()


def test_interrupted_after_training_only_the_results_are_written(tiny, tmp_path, monkeypatch, tiny_search):
    def interrupt(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tiny_search, "derive", interrupt)
        with pytest.raises(CommandInterrupted, match="Interrupted after training"):
            search(OPTIONS, str(tmp_path / "run"), quiet=True)
    search(SearchOptions(), str(tmp_path / "run"), resume=True, quiet=True)
    assert tiny[-1].trained_epochs == []
    np.testing.assert_array_equal(tiny[-1].get_weights()[0], tiny[0].get_weights()[0])
    assert (tmp_path / "run" / "result.json").exists()


def test_a_search_that_goes_on_may_last_longer_but_not_change(tiny, tmp_path, monkeypatch, tiny_search):
    monkeypatch.setattr(tiny_search, "interrupt_in_epoch", 1)
    with pytest.raises(CommandInterrupted):
        search(OPTIONS, str(tmp_path / "run"), quiet=True)
    monkeypatch.setattr(tiny_search, "interrupt_in_epoch", None)
    with pytest.raises(CommandError, match=r"Received: {'seed': 2}, before {'seed': 1}"):
        search(SearchOptions(seed=2), str(tmp_path / "run"), resume=True, quiet=True)
    search(SearchOptions(epochs=4), str(tmp_path / "run"), resume=True, quiet=True)
    assert len(rows(tmp_path / "run")) == 4


def test_a_search_that_goes_on_must_see_the_same_data(tiny, tmp_path, monkeypatch, tiny_search, source):
    monkeypatch.setattr(tiny_search, "interrupt_in_epoch", 1)
    with pytest.raises(CommandInterrupted):
        search(OPTIONS, str(tmp_path / "run"), quiet=True)
    source.x_train[0] += 1
    with pytest.raises(CommandError, match="Received: digits with the checksum"):
        search(SearchOptions(), str(tmp_path / "run"), resume=True, quiet=True)


def test_resume_of_a_finished_run_trains_nothing(tiny, tmp_path):
    search(OPTIONS, str(tmp_path / "run"), quiet=True)
    assert "finished" in search(SearchOptions(), str(tmp_path / "run"), resume=True)
    assert len(tiny) == 1


def test_resume_of_nothing_begins(tiny, tmp_path):
    search(OPTIONS, str(tmp_path / "run"), resume=True, quiet=True)
    assert (tmp_path / "run" / "result.json").exists()


def test_bad_input_that_fit_finds_leaves_no_folder(tiny, tmp_path, monkeypatch, tiny_search):
    monkeypatch.setattr(tiny_search, "error", ValueError("A batch must fit. Received: 9"))
    with pytest.raises(CommandError, match="Received: 9"):
        search(OPTIONS, str(tmp_path / "deep" / "run"), quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_bad_input_leaves_an_empty_folder_as_it_was(tiny, tmp_path, monkeypatch, tiny_search):
    monkeypatch.setattr(tiny_search, "error", ValueError("Received: 9"))
    with pytest.raises(CommandError):
        search(OPTIONS, str(tmp_path), quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_file_leaves_no_folder(tmp_path):
    with pytest.raises(CommandError, match=r"Received: .*missing\.npz"):
        search(SearchOptions(data="npz:missing.npz"), str(tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_search_still_finishes(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    assert "pip install" in search(OPTIONS, str(tmp_path / "run"), quiet=True)
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES - {"report.html"}


def test_a_time_budget_alone_sets_no_epochs(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(search_module, "ENDLESS", 2)
    search(SearchOptions(data="digits", time_budget=60.0, batch_size=4), str(tmp_path / "run"), quiet=True)
    assert tiny[0].time_budget == 60.0
    assert len(rows(tmp_path / "run")) == 2


def test_describe_tells_data_apart(source):
    first = describe(source)
    source.y_train[0] = 1
    assert describe(source)["checksum"] != first["checksum"]
    assert first["class_names"] == ["dark", "bright"]


def test_an_unknown_recipe_is_named(source):
    with pytest.raises(ValueError, match="Received: --recipe nope"):
        make_model(SearchOptions(recipe="nope"), source)


def test_flip_without_augmentation_is_refused(source):
    with pytest.raises(ValueError, match=r"Received: --recipe darts --flip\. Leave --flip out"):
        make_model(SearchOptions(recipe="darts", flip=True), source)


def test_flip_mirrors_in_a_recipe_that_augments(source):
    options = SearchOptions(space="nas_bench_201", recipe="dha", channels=2, cells=1, seed=0, flip=True)
    base = make_model(options, source).augmentation.get_config()["base"]
    assert [part["class_name"] for part in base][-1] == "HorizontalFlip"


@pytest.mark.parametrize(("dtype", "compute"), [(None, "float32"), ("mixed_bfloat16", "bfloat16")])
def test_the_dtype_is_that_of_the_model(source, dtype, compute):
    options = SearchOptions(space="nas_bench_201", recipe="dsnas", channels=2, cells=1, seed=0, dtype=dtype)
    model = make_model(options, source)
    assert model.network.compute_dtype == model.compute_dtype == compute


@pytest.mark.parametrize(("keep", "kept"), [(None, ["backup.npz"]), (2, ["backup.1.npz", "backup.npz"])])
def test_as_many_backups_stay_as_were_asked_for(tiny, tmp_path, monkeypatch, tiny_search, keep, kept):
    monkeypatch.setattr(tiny_search, "interrupt_in_epoch", 2)
    with pytest.raises(CommandInterrupted):
        search(dataclasses.replace(OPTIONS, keep_checkpoints=keep), str(tmp_path / "run"), quiet=True)
    assert sorted(path.name for path in (tmp_path / "run" / ".search").glob("*.npz")) == kept


def test_examples_are_picked_from_all_classes():
    np.testing.assert_array_equal(pick_examples(np.array([0, 0, 0, 1, 2, 2]), 4), [0, 1, 3, 4])
    np.testing.assert_array_equal(pick_examples(np.array([1, 0]), 5), [1, 0])


@pytest.mark.parametrize("moment", ["backup", "results"])
def test_a_full_disk_costs_nothing_that_was_kept(tiny, tmp_path, monkeypatch, moment):
    """A limit on the size of files stands for the disk: what writes more gets an error of the system."""
    search(OPTIONS, str(tmp_path / "whole"), quiet=True)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    fills = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    write = EpochRecord.write_progress

    def write_and_fill(self, *, trained=False):
        write(self, trained=trained)
        if trained or (moment == "backup" and self.epochs == 2):
            resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))

    monkeypatch.setattr(EpochRecord, "write_progress", write_and_fill)
    out = str(tmp_path / "run")
    try:
        with pytest.raises(CommandError, match=r"written where there is room.*Received: .*go on: keras-dha search"):
            search(OPTIONS, out, quiet=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, fills)
    monkeypatch.setattr(EpochRecord, "write_progress", write)
    search(SearchOptions(), out, resume=True, quiet=True)
    assert tiny[-1].trained_epochs == ([1, 2] if moment == "backup" else [])
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    losses = [[float(row["loss"]) for row in rows(tmp_path / name)] for name in ("run", "whole")]
    np.testing.assert_allclose(*losses, atol=1e-6)


class OtherWorker(Team):
    """One of several, but for the others."""

    def __init__(self, strategy):
        super().__init__(strategy)
        self.is_chief = False


def test_another_worker_computes_the_same_and_writes_nothing(tiny, tmp_path, monkeypatch, tiny_search):
    search(OPTIONS, str(tmp_path / "whole"), quiet=True)
    monkeypatch.setattr(tiny_search, "interrupt_in_epoch", 1)
    with pytest.raises(CommandInterrupted):
        search(OPTIONS, str(tmp_path / "run"), quiet=True)
    monkeypatch.setattr(tiny_search, "interrupt_in_epoch", None)
    monkeypatch.setattr(search_module, "Team", OtherWorker)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    assert "first worker writes" in search(SearchOptions(), str(tmp_path / "run"), resume=True, quiet=True)
    assert tiny[-1].trained_epochs == [1, 2]
    np.testing.assert_allclose(tiny[-1].get_weights()[0], tiny[0].get_weights()[0], atol=1e-6)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == kept
