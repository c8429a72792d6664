import csv
import dataclasses
import json

import keras
import numpy as np
import pytest

from keras_dha import cli
from keras_dha.commands import CommandError, CommandInterrupted
from keras_dha.commands import tune as module
from keras_dha.commands.tune import tune
from keras_dha.commands.tune_options import ORACLES, TuneOptions

TINY = {"channels": 2, "cells": 1, "oracle": "evolution", "trials": 3, "epochs": 1, "batch_size": 8, "seed": 3}


@pytest.fixture
def data(tmp_path):
    """Dark pictures are of class 0, bright ones of class 1."""
    y = np.arange(40) % 2
    x = np.repeat(255 * y, 64).reshape(40, 8, 8, 1).astype("uint8")
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x[:10], y_test=y[:10])
    return f"npz:{tmp_path / 'd.npz'}"


def run(data, tmp_path, **others):
    return tune(TuneOptions(data=data, **TINY), str(tmp_path / "run"), **{"quiet": True, **others})


def rows(tmp_path):
    with open(tmp_path / "run" / "trials.csv") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_three_trials(data, tmp_path):
    told = run(data, tmp_path)
    assert "parameters" in told
    table = rows(tmp_path)
    assert [row["status"] for row in table] == ["COMPLETED"] * 3
    assert {"trial", "score", "learning_rate", "edge_1_from_0"} <= set(table[0])
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["trials"] == {"COMPLETED": 3}
    assert result["validation"]["accuracy"] == max(float(row["score"]) for row in table)
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)
    assert model.count_params() == result["parameters"]
    decisions = json.loads((tmp_path / "run" / "decisions.json").read_text())
    best = next(row for row in table if row["trial"] == result["trial"])
    assert decisions["edge_1_from_0"] == [best["edge_1_from_0"]]
    assert not (tmp_path / "run" / ".search").exists()
    assert "nothing to go on with" in run(data, tmp_path, resume=True)
    with pytest.raises(CommandError, match="which holds a finished run"):
        run(data, tmp_path)


@pytest.mark.slow
def test_two_workers_go_on_with_what_was_interrupted(data, tmp_path, monkeypatch):
    def interrupted(options, source, folder):
        run_trials(dataclasses.replace(options, trials=1), source, folder)
        raise KeyboardInterrupt

    run_trials = module.run_trials
    monkeypatch.setattr(module, "run_trials", interrupted)
    with pytest.raises(CommandInterrupted, match=r"To go on: keras-dha tune --data npz:.* --workers 1 --resume"):
        run(data, tmp_path)
    with pytest.raises(CommandError, match="which holds an unfinished run"):
        run(data, tmp_path)
    with pytest.raises(CommandError, match=r"must keep their options\. Received: {'trials': 5}, before {'trials': 3}"):
        tune(TuneOptions(data=data, trials=5), str(tmp_path / "run"), resume=True)
    tune(TuneOptions(data=data), str(tmp_path / "run"), workers=2, resume=True, quiet=True)
    table = rows(tmp_path)
    assert [row["status"] for row in table] == ["COMPLETED"] * 3
    assert len({row["trial"] for row in table}) == 3


def test_data_that_is_missing_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(CommandError, match=r"Received: .*nowhere\.npz"):
        run(f"npz:{tmp_path / 'nowhere.npz'}", tmp_path)
    assert not (tmp_path / "run").exists()


def test_the_command_line(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(module, "tune", lambda *given, **others: asked.append((given, others)) or "done")
    assert cli.main(["tune", "--data", "digits", "--out", "o", "--oracle", "evolution", "--workers", "2"]) == 0
    ((options, out), others) = asked[0]
    assert (options, out) == (TuneOptions(data="digits", oracle="evolution"), "o")
    assert others == {"workers": 2, "resume": False, "quiet": False}
    assert cli.main(["tune", "--out", "o"]) == 2
    assert "must be given --data" in capsys.readouterr().err


def test_options_are_a_command_line_again():
    options = TuneOptions(data="npz:a b.npz", trials=3, batch_size=8)
    assert options.command("o") == "keras-dha tune --data 'npz:a b.npz' --out o --trials 3 --batch-size 8"
    given = cli.parser().parse_args(["tune", "--data", "npz:a b.npz", "--out", "o", "--trials", "3"])
    assert (given.trials, given.batch_size) == (3, None)


@pytest.mark.parametrize("name", ORACLES)
def test_every_oracle_is_in_the_help(name, capsys):
    with pytest.raises(SystemExit):
        cli.parser().parse_args(["tune", "--help"])
    assert name in capsys.readouterr().out


def test_a_path_from_here_is_the_same_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored = TuneOptions(data="npz:d.npz", trials=2).with_absolute_paths()
    assert stored.data == f"npz:{tmp_path / 'd.npz'}"
    TuneOptions(data="npz:d.npz").check_resumed(stored)
    with pytest.raises(ValueError, match=r"Received: {'data': 'npz:.*e\.npz'}"):
        TuneOptions(data="npz:e.npz").check_resumed(stored)
