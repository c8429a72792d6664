import itertools
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras_dha.spaces import Choice
from keras_dha.tuners import Pruning, SpacePruning

EDGES = [Choice(f"edge_{i}", tuple("abcde")) for i in range(6)]
QUICK = Pruning(samples=20, batch=5, min_spread=0.0)
NODE = Choice("node", ("0/none", "0/x", "0/y", "1/none", "1/x"), 2, (0, 0, 0, 1, 1), ("0/none", "1/none"))


def count(alive: dict[str, tuple[str, ...]]) -> int:
    """Memory, if every option takes a byte."""
    return sum(map(len, alive.values()))


def letters(path: Any) -> float:
    """A reward: the later in the alphabet, the better."""
    return float(np.mean(["abcde".index(path[name][0]) for name in path])) / 4


def run(search: SpacePruning, reward: Any = letters, most: int = 5000) -> int:
    """Until done; returns how many networks were asked for."""
    for number in range(most):
        if search.done:
            return number
        path = search.propose()
        search.observe(path, reward(path))
    raise AssertionError("not done")


def test_three_rounds_leave_two_of_five_options() -> None:
    search = SpacePruning(EDGES, count, 12, seed=0, pruning=Pruning(min_spread=0.0))
    assert search.memory == 30
    assert run(search) == 3 * 150
    assert search.memory / 30 == 0.4
    assert [record["memory"] for record in search.history] == [24, 18, 12]
    assert all(len(record["dropped"]) == 6 for record in search.history)
    entropies = [record["entropy"] for record in search.history]
    assert all(0.0 < entropy < 1.0 for entropy in entropies)
    kept = [options for left in search.alive().values() for options in left]
    assert np.mean(["abcde".index(option) for option in kept]) > 2.5  # 2 by chance


def test_pruning_stops_as_soon_as_the_rest_fits() -> None:
    search = SpacePruning(EDGES, count, 28, seed=0, pruning=QUICK)
    assert run(search) == 20
    (record,) = search.history
    assert len(record["dropped"]) == 2
    assert search.memory == 28


def test_what_fits_is_left_as_it_is() -> None:
    search = SpacePruning(EDGES, count, 30, seed=0)
    assert search.done
    search.observe(search.propose(), 1.0)
    assert search.history == []


def test_the_budget_is_out_of_reach_before_anything_is_drawn() -> None:
    with pytest.raises(ValueError, match=r"Received: budget=11 bytes, the smallest space 12 bytes. Raise the budget"):
        SpacePruning(EDGES, count, 11)


def test_the_budget_stays_within_reach() -> None:
    """The best option is the dearest: of two that must be left, one is the cheapest."""
    choices = [Choice("edge", ("cheap", "middle", "dear"))]
    costs = {"cheap": 1, "middle": 2, "dear": 10}

    def memory(alive: Any) -> int:
        return sum(costs[option] for option in alive["edge"])

    search = SpacePruning(choices, memory, 3, seed=0, pruning=QUICK)
    run(search, lambda path: float(path["edge"] == ("dear",)))
    assert search.alive() == {"edge": ("cheap", "middle")}


def test_a_node_keeps_an_option_for_each_input_that_it_needs_and_those_that_are_never_kept() -> None:
    search = SpacePruning([NODE], count, 4, seed=0, pruning=QUICK)
    run(search, lambda path: float("0/y" in path["node"]))
    assert search.alive() == {"node": ("0/none", "0/y", "1/none", "1/x")}
    with pytest.raises(ValueError, match="the smallest space 4 bytes"):
        SpacePruning([NODE], count, 3)


def test_equal_rewards_prune_nothing_and_end_with_an_error() -> None:
    search = SpacePruning(EDGES, count, 12, seed=0, pruning=Pruning(samples=10, batch=5, patience=2))
    with pytest.raises(
        RuntimeError, match=r"no choice whose probabilities differ by 0.01 after 2 rounds of 10 networks"
    ):
        run(search, lambda path: 0.5)
    assert [record["skipped"] for record in search.history] == [[choice.name for choice in EDGES]] * 2


def test_rewards_that_are_not_finite_are_rejected_and_not_counted() -> None:
    search = SpacePruning(EDGES, count, 28, seed=0, pruning=QUICK)
    numbers = itertools.count()
    asked = run(search, lambda path: float("nan") if next(numbers) % 2 else letters(path))
    assert asked == 39  # 20 of them count
    assert search.history[0]["rejected"] == 19
    assert search.history[0]["samples"] == 20


def test_rewards_that_are_never_finite_end_with_an_error() -> None:
    search = SpacePruning(EDGES, count, 28, seed=0, pruning=QUICK)
    with pytest.raises(RuntimeError, match=r"must be finite. Received: 20 that are not, last nan"):
        run(search, lambda path: float("nan"))


def test_a_search_goes_on_where_another_one_was() -> None:
    first, second = (SpacePruning(EDGES, count, 18, seed=seed, pruning=QUICK) for seed in (3, 4))
    for _ in range(33):  # a round and a half, and three of a batch
        path = first.propose()
        first.observe(path, letters(path))
    second.set_state(json.loads(json.dumps(first.get_state())))
    assert run(first) == run(second) > 0
    assert first.alive() == second.alive()
    assert first.history == second.history


@pytest.mark.parametrize(
    "arguments", [{"samples": 0}, {"batch": 2.0}, {"patience": 0}, {"min_spread": 1.0}, {"samples": 5, "batch": 6}]
)
def test_numbers_of_pruning_must_be_in_range(arguments: Any) -> None:
    name, value = list(arguments.items())[-1]
    with pytest.raises(ValueError, match=rf"must be integers from 1.*Received: Pruning\(.*{name}={value}"):
        Pruning(**arguments)


# The table of NAS-Bench-201, by the benchmark's own reading of it.

FOLDER = Path(os.environ.get("KERAS_DHA_DATA", "../shared/data"))
needs_table = pytest.mark.skipif(
    not (FOLDER / "nasbench201.npz").is_file(), reason="needs nasbench201.npz, which is not part of the project"
)


@needs_table
def test_what_reinforcement_leaves_of_nas_bench_201_is_better_than_what_chance_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[2] / "benchmarks"), *sys.path])
    import radars

    cells = radars.Cells()
    left = [cells.pruned(seed) for seed in range(5)]
    by_chance = [cells.at_random(seed) for seed in range(30)]  # whose standard deviation is five points
    assert all(found["cells"] == 64 for found in [*left, *by_chance])
    assert all(found["queries"] == 450 for found in left)
    means = [np.mean([found["mean"] for found in kind]) for kind in (left, by_chance)]
    assert means[0] - means[1] >= 3.0
    assert np.mean([found["best"] for found in left]) > 93.76  # the cell of 3x3 convolutions alone
