import sys
from pathlib import Path
from typing import Any

import keras_tuner
import pytest
from oracle_runs import OBJECTIVE, begin, continuous, end, run, twelve_points

from keras_dha.tuners import ParzenOracle, Points


def oracle_of(folder: Path, **kwargs: Any) -> ParzenOracle:
    oracle = ParzenOracle(OBJECTIVE, **{"hyperparameters": continuous(), "seed": 0, "max_trials": None, **kwargs})
    oracle.verbose = 0
    oracle._set_project_dir(folder, "project")
    return oracle


def test_ranges_are_optunas_where_it_has_them() -> None:
    hp = keras_tuner.HyperParameters()
    hp.Float("log", 0.01, 1.0, sampling="log")
    hp.Float("steps", 0.0, 1.0, step=0.25)
    hp.Int("int", 1, 8, step=2)
    hp.Int("doubled", 1, 8, step=2, sampling="log")
    oracle = ParzenOracle(hyperparameters=hp)
    found = [oracle._distribution(known) for known in Points(hp).space]
    assert [type(space).__name__.removesuffix("Distribution") for space in found] == [
        *("Float", "Float", "Int", "Categorical")
    ]
    assert (found[0].log, found[1].step, found[2].high) == (True, 0.25, 7)
    assert found[3].choices == (1, 2, 4, 8)


def test_the_study_has_every_trial_and_what_still_runs(tmp_path: Path) -> None:
    import numpy as np

    oracle = oracle_of(tmp_path, hyperparameters=twelve_points())
    run(oracle, trials=3)
    oracle.create_trial("worker")
    study = oracle._study(oracle.points, np.random.default_rng(0))
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3 + ["RUNNING"]
    assert all("version" not in name for trial in study.trials for name in trial.params)  # which has one value
    assert study.sampler._multivariate
    assert study.sampler._constant_liar


def test_it_comes_near_the_best_rate(tmp_path: Path) -> None:
    near = 0
    for seed in range(10):  # how the ten random points of one seed lie decides too much
        oracle, rates = oracle_of(tmp_path / str(seed), seed=seed), []
        for _ in range(40):
            trial = begin(oracle)
            rates.append(trial.hyperparameters.get("rate"))
            end(oracle, trial, rates[-1])
        near += sum(rate > 0.3 for rate in rates[-10:])
    assert near >= 50  # half of them, as of ten random ones is so once in 600 times


def test_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"needs Optuna: pip install 'keras-dha\[tuner\]'"):
        ParzenOracle(hyperparameters=continuous())


def test_wrong_number_of_initial_points() -> None:
    with pytest.raises(ValueError, match=r"num_initial_points must be an integer, 1 or more. Received: num_init"):
        ParzenOracle(hyperparameters=continuous(), num_initial_points=0)
