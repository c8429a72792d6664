import itertools
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from keras_dha.spaces import Choice
from keras_dha.tuners import PathController

TWO = [Choice("a", ("x", "y", "z")), Choice("b", ("x", "y"))]
NODE = Choice("node", ("0/none", "0/x", "0/y", "1/none", "1/x", "2/x"), 2, (0, 0, 0, 1, 1, 2), ("0/none", "1/none"))


def moved(choices: list[Choice], seed: int = 0) -> PathController:
    """A controller whose logits are nowhere alike."""
    controller = PathController(choices, seed=seed)
    rng = np.random.default_rng(5)
    for name, logits in controller.logits.items():
        controller.logits[name] = rng.normal(size=logits.shape)
    return controller


def test_all_options_that_may_be_kept_are_equally_likely_at_first() -> None:
    probabilities = PathController([*TWO, NODE]).probabilities()
    np.testing.assert_allclose(probabilities["a"], [1 / 3] * 3)
    np.testing.assert_allclose(probabilities["node"], [0, 0.25, 0.25, 0, 0.25, 0.25])


def test_the_mean_update_over_all_networks_is_the_gradient_of_the_mean_reward() -> None:
    controller = moved(TWO)
    worth = dict(zip(itertools.product(*(choice.options for choice in TWO)), (0.1, 0.9, 0.3, 0.2, 0.8, 0.5)))

    def likelihoods() -> np.ndarray:
        p = controller.probabilities()
        return np.outer(p["a"], p["b"]).ravel()

    def mean_reward() -> float:
        return float(likelihoods() @ np.array(list(worth.values())))

    for baseline in (0.0, 0.7):  # which changes the noise, not the mean
        total = {name: np.zeros_like(logits) for name, logits in controller.logits.items()}
        for probability, ((a, b), reward) in zip(likelihoods(), worth.items()):
            for name, slope in controller.gradient([{"a": (a,), "b": (b,)}], [reward], baseline).items():
                total[name] += probability * slope
        for name, logits in controller.logits.items():
            for i, step in enumerate(np.eye(len(logits)) * 1e-4):
                values = []
                for sign in (1, -1):
                    controller.logits[name] = logits + sign * step
                    values.append(mean_reward())
                controller.logits[name] = logits
                assert total[name][i] == pytest.approx((values[0] - values[1]) / 2e-4, abs=1e-7)


def test_of_one_option_the_score_is_onehot_minus_p() -> None:
    controller = moved(TWO)
    slope = controller.gradient([{"a": ("y",), "b": ("x",)}], [1.0], 0.0)["a"]
    np.testing.assert_allclose(slope, np.array([0, 1, 0]) - controller.probabilities()["a"])


def test_several_options_are_drawn_one_an_input_and_their_scores_have_mean_0() -> None:
    controller = moved([NODE])
    p = controller.probabilities()["node"]
    kept = [1, 2, 4, 5]
    mean, total = np.zeros(6), 0.0
    for first, second in itertools.permutations(kept, 2):
        if NODE.group_numbers[first] == NODE.group_numbers[second]:
            continue
        left = [i for i in kept if NODE.group_numbers[i] != NODE.group_numbers[first]]
        probability = p[first] * p[second] / p[left].sum()
        path = {"node": (NODE.options[first], NODE.options[second])}
        mean += probability * controller.gradient([path], [1.0], 0.0)["node"]
        total += probability
    assert total == pytest.approx(1.0)
    np.testing.assert_allclose(mean, 0.0, atol=1e-12)


def test_draws_follow_the_probabilities() -> None:
    controller = PathController([NODE], seed=0)
    counts = Counter(frozenset(controller.sample().validate([NODE])["node"]) for _ in range(600))
    pairs = ("0/x 1/x", "0/y 1/x", "0/x 2/x", "0/y 2/x", "1/x 2/x")
    assert set(counts) == {frozenset(pair.split()) for pair in pairs}
    # First 0/x (1/4), then 1/x or 2/x (1/2 each), or the other way round (1/4 * 1/3): 5/24 of 600 is 125. Standard
    # deviation 10: six of them fail in less than one of 10^7 choices of seeds.
    assert 65 <= counts[frozenset(("0/x", "1/x"))] <= 185


def test_the_baseline_keeps_most_of_the_old_value() -> None:
    controller = PathController(TWO, seed=0)
    path = controller.sample()
    controller.update([path, path], [0.2, 0.6])
    assert controller.baseline == pytest.approx(0.4)
    np.testing.assert_allclose(controller.logits["a"], 0.0, atol=1e-12)  # the two rewards cancel
    controller.update([path], [0.9])
    assert controller.baseline == pytest.approx(0.9 * 0.4 + 0.1 * 0.9)
    position = TWO[1].options.index(path["b"][0])
    assert controller.logits["b"][position] == pytest.approx((0.9 - 0.45) * 0.5)  # rate 1, onehot - p = 0.5


def test_what_is_not_alive_is_not_drawn() -> None:
    controller = PathController(TWO, seed=0)
    controller.alive["a"][1] = False
    assert controller.probabilities()["a"].tolist() == [0.5, 0.0, 0.5]
    assert {controller.sample()["a"] for _ in range(30)} == {("x",), ("z",)}


def test_entropy_is_a_share_of_the_largest() -> None:
    controller = PathController([TWO[0]])
    assert controller.entropy() == pytest.approx(1.0)
    controller.logits["a"][:] = [50.0, 0.0, 0.0]
    assert controller.entropy() == pytest.approx(0.0, abs=1e-12)
    controller.alive["a"][1:] = False
    assert controller.entropy() == 0.0


def test_a_controller_goes_on_where_another_one_was() -> None:
    first, second = moved(TWO), PathController(TWO, seed=9)
    first.update([first.sample()], [0.5])
    second.set_state(json.loads(json.dumps(first.get_state())))
    assert second.baseline == first.baseline
    assert [second.sample() for _ in range(5)] == [first.sample() for _ in range(5)]


@pytest.mark.parametrize("rewards", [[], [float("nan")], [float("inf")]])
def test_rewards_must_be_finite(rewards: Any) -> None:
    controller = PathController(TWO, seed=0)
    with pytest.raises(ValueError, match=r"must be finite numbers, at least one. Received: rewards="):
        controller.update([controller.sample()] * len(rewards), rewards)


@pytest.mark.parametrize(
    "arguments", [{"learning_rate": 0.0}, {"baseline_momentum": 1.0}, {"learning_rate": float("nan")}]
)
def test_numbers_must_be_in_range(arguments: Any) -> None:
    (name, value), *_ = arguments.items()
    with pytest.raises(ValueError, match=f"Received: .*{name}={value}"):
        PathController(TWO, **arguments)
