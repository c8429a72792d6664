"""Oracles, and trials without a tuner."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner

from keras_dha.tuners import ParzenOracle, RegularizedEvolutionOracle, WeakPredictorOracle

# As few trials as possible before the oracle does what it is for.
ORACLES: dict[str, Callable[..., Any]] = {
    "evolution": lambda *args, **kwargs: RegularizedEvolutionOracle(*args, population_size=4, sample_size=2, **kwargs),
    "parzen": lambda *args, **kwargs: ParzenOracle(*args, num_initial_points=4, **kwargs),
    "weak predictor": lambda *args, **kwargs: WeakPredictorOracle(
        *args, num_initial_points=4, round_size=2, pool_size=4, predictor="tree", **kwargs
    ),
}
OBJECTIVE = keras_tuner.Objective("score", "max")


def twelve_points() -> keras_tuner.HyperParameters:
    """Of every kind of hyper-parameter but the continuous one: (conv, 3 sizes) or pool, times bias, times 2 rates."""
    hp = keras_tuner.HyperParameters()
    hp.Choice("op", ["conv", "pool"])
    hp.Int("size", 1, 2, parent_name="op", parent_values=["conv"])
    hp.Boolean("bias")
    hp.Float("rate", 0.1, 0.2, step=0.1)
    hp.Fixed("version", 3)
    return hp


def continuous() -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 1e-4, 1.0, sampling="log")
    hp.Int("size", 1, 64, sampling="log")
    hp.Choice("op", ["conv", "pool"])
    return hp


def score(values: dict[str, Any]) -> float:
    return values.get("size", 0) + 10.0 * values["rate"] + 0.5 * values.get("bias", 0)


def make(name: str, folder: Path, *, space: Any = None, **kwargs: Any) -> Any:
    """An oracle with a place to write to."""
    given = {"max_trials": None, "hyperparameters": space or twelve_points(), "seed": 0, **kwargs}
    oracle = ORACLES[name](OBJECTIVE, **given)
    oracle.verbose = 0
    oracle._set_project_dir(folder, "project")
    return oracle


def begin(oracle: Any, worker: str = "worker") -> Any:
    return oracle.create_trial(worker)


def end(oracle: Any, trial: Any, value: float | None = None, status: str = "COMPLETED") -> None:
    if status == "COMPLETED":
        oracle.update_trial(trial.trial_id, {"score": score(trial.hyperparameters.values) if value is None else value})
    trial.status = status
    oracle.end_trial(trial)


def run(oracle: Any, trials: int = 1000) -> list[dict[str, Any]]:
    """The values of so many trials, or of all until the oracle stops."""
    asked = []
    for _ in range(trials):
        trial = begin(oracle)
        if trial.status != "RUNNING":
            break
        asked.append(dict(trial.hyperparameters.values))
        end(oracle, trial)
    return asked
