from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import pytest
from oracle_runs import OBJECTIVE, begin, end, twelve_points

from keras_dha.tuners import Points, RegularizedEvolutionOracle, key_of


def bits(number: int) -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    for i in range(number):
        hp.Choice(f"bit_{i}", ["0", "1"])
    return hp


def oracle_of(folder: Path, **kwargs: Any) -> RegularizedEvolutionOracle:
    given = {"hyperparameters": bits(8), "seed": 0, "max_trials": None, **kwargs}
    oracle = RegularizedEvolutionOracle(OBJECTIVE, **given)
    oracle.verbose = 0
    oracle._set_project_dir(folder, "project")
    return oracle


def ask(oracle: RegularizedEvolutionOracle, score: float) -> dict[str, Any]:
    trial = begin(oracle)
    end(oracle, trial, score)
    return dict(trial.hyperparameters.values)


def differences(first: dict[str, Any], second: dict[str, Any]) -> int:
    return sum(first.get(name) != second.get(name) for name in {*first, *second})


def test_a_child_differs_from_its_parent_in_exactly_one(tmp_path: Path) -> None:
    oracle = oracle_of(tmp_path, population_size=3, sample_size=30)  # all three compete, but for 3 * (2/3)^30 = 2e-5
    population = [(ask(oracle, score), score) for score in (1.0, 3.0, 2.0)]
    for number in range(5):
        parent = max(population[-3:], key=lambda pair: pair[1])[0]
        score = -float(number)
        child = ask(oracle, score)
        assert differences(parent, child) == 1
        population.append((child, score))


def test_the_oldest_dies_also_if_it_is_the_best(tmp_path: Path) -> None:
    oracle = oracle_of(tmp_path, population_size=2, sample_size=30)
    first = ask(oracle, 100.0)
    second = ask(oracle, 1.0)
    third = ask(oracle, 2.0)
    assert differences(first, third) == 1
    assert differences(third, ask(oracle, 0.0)) == 1  # of the second and the third, for the first is dead
    assert differences(first, second) > 1  # else the line above could not tell


def test_a_small_sample_lets_others_win(tmp_path: Path) -> None:
    """With a sample of one, each of four is the parent one time in four."""
    parents = []
    for seed in range(40):
        oracle = oracle_of(tmp_path / str(seed), population_size=4, sample_size=1, seed=seed, hyperparameters=bits(30))
        population = [ask(oracle, float(score)) for score in range(4)]
        child = ask(oracle, 0.0)
        parents.append([differences(parent, child) for parent in population].index(1))
    assert set(parents) == {0, 1, 2, 3}


def test_a_failed_trial_is_the_last_to_be_a_parent(tmp_path: Path) -> None:
    oracle = oracle_of(tmp_path, population_size=2, sample_size=30)
    good = ask(oracle, -5.0)
    end(oracle, begin(oracle), status="FAILED")
    assert differences(good, ask(oracle, 0.0)) == 1


def test_when_all_neighbours_are_taken_two_change(tmp_path: Path) -> None:
    oracle = oracle_of(tmp_path, hyperparameters=bits(3), population_size=1, sample_size=1)
    parent = {"bit_0": "0", "bit_1": "0", "bit_2": "0"}
    points = Points(bits(3))
    taken = {key_of(parent), *map(key_of, points.neighbours(parent, np.random.default_rng(0)))}
    oracle.finished = lambda: ([parent], np.array([1.0]))
    oracle.start_order = ["0"]
    child = oracle.propose(taken, np.random.default_rng(0))
    assert differences(parent, child) == 2
    assert oracle.propose(taken | {key_of(child)}, np.random.default_rng(0)) not in (None, child)
    assert oracle.propose({key_of(point) for point in points.every()}, np.random.default_rng(0)) is None


def test_conditional_hyper_parameters_follow_their_parent(tmp_path: Path) -> None:
    oracle = oracle_of(tmp_path, hyperparameters=twelve_points(), population_size=2, sample_size=2)
    for number in range(12):
        values = ask(oracle, float(number))
        assert ("size" in values) == (values["op"] == "conv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"population_size": 0}, r"population_size must be an integer, 1 or more. Received: population_size=0"),
        ({"sample_size": True}, r"Received: sample_size=True"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RegularizedEvolutionOracle(hyperparameters=bits(1), **arguments)
