import csv
import json
import types

import keras
import numpy as np
import pytest

from keras_dha import cli
from keras_dha.commands import CommandError, CommandInterrupted, SearchOptions
from keras_dha.commands import pareto as module
from keras_dha.commands.pareto import pareto
from keras_dha.costs import BlockCost, LatencyTable, Timing, parameters
from keras_dha.data.sources import Source
from keras_dha.spaces import MobileNetSpace

TINY = {"data": "tiny", "channels": 2, "cells": 1, "seed": 3}


@pytest.fixture
def source():
    x = np.zeros((8, 8, 8, 1), np.float32)
    return Source("tiny", x, np.arange(8) % 2, x, np.arange(8) % 2, ("a", "b"))


@pytest.fixture(scope="module")
def measured_once():
    """`BlockCost.measure`, which remembers what the one space of these tests costs."""
    known = {}

    def measure(space, cost):
        key = (json.dumps(space.get_config()), cost)
        if key not in known:
            known[key] = BlockCost.measure(space, cost)
        return known[key]

    return measure


@pytest.fixture
def searched(monkeypatch, source, measured_once):
    """Searches take no time: each is as accurate as its bound is wide. Returns what each was asked."""
    asked = []

    def search(options, out, *, resume, quiet):
        from pathlib import Path

        asked.append((options, out))
        path = Path(out)
        if (path / "result.json").exists():
            return ""
        path.mkdir(parents=True)
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]).save(path / "model.keras")
        costs = {"multiply_adds": 4 * len(asked), "model_bytes": 24}
        accuracy = {0.6: 0.75, 0.8: 0.5, 1.0: 1.0}[float(path.name)]
        result = {"test": {"accuracy": accuracy}, "parameters": 6 * len(asked), "costs": costs, "seconds": {"total": 2}}
        (path / "result.json").write_text(json.dumps(result))
        (path / "decisions.json").write_text(json.dumps({"layer_0_kernel": [str(3 + len(asked))]}))
        return ""

    monkeypatch.setattr(module, "search", search)
    monkeypatch.setattr(module, "BlockCost", types.SimpleNamespace(measure=measured_once))
    monkeypatch.setattr(module, "load_data", lambda options: source)
    monkeypatch.setattr(
        module, "milliseconds_of", lambda models, runtime: [Timing(1.0 + i) for i in range(len(models))]
    )
    return asked


def run(tmp_path, **others):
    return pareto(
        SearchOptions(**TINY),
        str(tmp_path / "p"),
        **{"cost": "parameters", "shares": (1.0, 0.6, 0.8), "quiet": True, **others},
    )


def test_each_share_is_a_search_and_a_point(searched, tmp_path):
    told = run(tmp_path)
    assert [out.rsplit("/", 1)[1] for _, out in searched] == ["0.6", "0.8", "1"]
    largest = searched[2][0].max_parameters
    assert [options.max_parameters / largest for options, _ in searched] == pytest.approx([0.6, 0.8, 1.0])
    assert {(options.recipe, options.space, options.seed) for options, _ in searched} == {
        ("single_path", "mobile_net", 3)
    }
    assert "3 points, the best with test accuracy 1.0000 at the share 1" in told
    rows = list(csv.DictReader((tmp_path / "p" / "pareto.csv").read_text().splitlines()))
    assert [(row["share"], row["accuracy"], row["measured_ms"], row["layer_0_kernel"]) for row in rows] == [
        ("0.6", "0.75", "1.0", "4"),
        ("0.8", "0.5", "2.0", "5"),
        ("1.0", "1.0", "3.0", "6"),
    ]
    page = (tmp_path / "p" / "report.html").read_text()
    assert "<th>layer_0_kernel</th><td>4</td><td>5</td><td>6</td>" in page
    assert page.count("<img") == 1


def test_the_report_can_be_drawn_again(searched, tmp_path, capsys):
    run(tmp_path)
    (tmp_path / "p" / "report.html").unlink()
    assert cli.main(["report", str(tmp_path / "p")]) == 0
    assert (tmp_path / "p" / "report.html").exists()


def test_an_interrupted_set_goes_on_with_what_is_missing(searched, tmp_path, monkeypatch):
    whole = module.search

    def interrupted(options, out, **others):
        if len(searched) == 1:
            raise KeyboardInterrupt
        return whole(options, out, **others)

    monkeypatch.setattr(module, "search", interrupted)
    with pytest.raises(CommandInterrupted, match=r"To go on: keras-dha pareto --data tiny .* --resume"):
        run(tmp_path)
    with pytest.raises(CommandError, match="unfinished run"):
        run(tmp_path)
    with pytest.raises(CommandError, match="must keep its cost and shares"):
        run(tmp_path, resume=True, shares=(1.0,))
    monkeypatch.setattr(module, "search", whole)
    assert "3 points" in run(tmp_path, resume=True)
    assert "nothing to go on with" in run(tmp_path, resume=True)


@pytest.mark.parametrize(
    ("others", "match"),
    [
        ({"shares": ()}, r"--shares must be in \(0, 1\]. Received: \[\]"),
        ({"shares": (1.5,)}, r"Received: \[1.5\]"),
        ({"shares": (0.01,)}, r"--shares must be within reach: the smallest network has 0\.\d+ of .*\[0.01\]"),
    ],
)
def test_bad_shares_leave_nothing_behind(searched, tmp_path, others, match):
    with pytest.raises(CommandError, match=match):
        run(tmp_path, **others)
    assert not searched
    assert list(tmp_path.iterdir()) == []


def test_data_without_a_test_part_are_bad_input(searched, tmp_path, monkeypatch, source):
    monkeypatch.setattr(
        module, "load_data", lambda options: Source("t", source.x_train, source.y_train, None, None, ("a", "b"))
    )
    with pytest.raises(CommandError, match="must have a test part"):
        run(tmp_path)


def test_a_missing_package_leaves_nothing_behind_where_latency_is_bound(searched, tmp_path, monkeypatch):
    def measure(*args, **kwargs):
        raise ImportError("Run: pip install")

    monkeypatch.setattr(module.LatencyTable, "measure", measure)
    with pytest.raises(CommandError, match="pip install"):
        run(tmp_path, cost="latency_ms")
    assert list(tmp_path.iterdir()) == []


def test_and_leaves_out_what_is_only_told(searched, tmp_path, monkeypatch):
    def measure(*args, **kwargs):
        raise ImportError("Run: pip install")

    monkeypatch.setattr(module, "milliseconds_of", measure)
    assert "Latencies were not measured: Run: pip install" in run(tmp_path)
    assert "not known" in (tmp_path / "p" / "report.html").read_text()


def test_a_table_is_measured_first_where_latency_is_bound(searched, tmp_path, monkeypatch):
    table = LatencyTable({}, runtime="litert", agreement=[(1.0, 1.0)])
    monkeypatch.setattr(table, "predict", parameters)
    monkeypatch.setattr(table, "predict_decisions", lambda space, decisions: 2.0)
    monkeypatch.setattr(module.LatencyTable, "measure", lambda space, progress: table)
    run(tmp_path, cost="latency_ms")
    own = str(tmp_path / "p" / "table.json")
    assert [(options.max_latency_ms, options.table) for options, _ in searched] == [(1.2, own), (1.6, own), (2.0, own)]
    assert LatencyTable.load(own).runtime == "litert"


@pytest.mark.slow
def test_a_table_and_a_set_from_the_command_line(tmp_path, capsys):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 255, (24, 8, 8, 1)).astype("uint8"), np.arange(24) % 2
    np.savez(tmp_path / "data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    small = ["--channels", "2", "--cells", "1", "--epochs", "4", "--batch-size", "8", "--quiet"]
    out, path = tmp_path / "p", tmp_path / "new" / "table.json"
    of_data = ["--input-shape", "8", "8", "1", "--classes", "2"]
    arguments = ["latency", "--space", "mobile_net", "--out", str(path), *of_data, *small[:4], "--quiet"]
    assert cli.main(arguments) == 0
    space = MobileNetSpace((8, 8, 1), 2, channels=2, repeats=1)
    table = LatencyTable.load(path)
    assert table.runtime == "litert"
    assert table.predict_decisions(space, space.random_decisions(seed=5)) > 0.0
    told = capsys.readouterr()
    assert f"takes {table.largest(space):.3g} ms" in told.out
    assert "parts of" not in told.err
    arguments = ["pareto", "--data", f"npz:{tmp_path / 'data.npz'}", "--out", str(out), *small]
    assert cli.main([*arguments, "--table", str(path), "--shares", "0.8"]) == 0, capsys.readouterr().err
    (point,) = json.loads((out / "result.json").read_text())["points"]
    assert point["measured_ms"] > 0.0
    assert point["predicted_ms"] > 0.0
    assert (out / "points" / "0.8" / "model.keras").exists()
    assert json.loads((out / "points" / "0.8" / "result.json").read_text())["arguments"]["table"] == str(path)
