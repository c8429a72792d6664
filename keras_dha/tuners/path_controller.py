"""Draws networks, and learns from what they are worth which options are good."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_dha.spaces import Choice, Decisions


class PathController:
    """Independent categoricals, one a choice, that learn by REINFORCE.

    `p = softmax(logits)` over the options that are alive, and `logits += learning_rate * mean_i((R_i - b) * d log
    p(path_i))`, where `b <- momentum * b + (1 - momentum) * mean_i(R_i)`, the mean of the first batch at the start. Of
    a choice that keeps one option, `d log p = onehot - p`. Options of a choice that keeps several are drawn one after
    another without replacement, at most one a group, and `d log p` is the sum over the draws.

    Args:
        choices: What is drawn.
        learning_rate: Of the logits, positive. Defaults to 1.0.
        baseline_momentum: What of the baseline stays in each update, in [0, 1). Defaults to 0.9.
        seed: Of the draws. None: drawn anew.

    Attributes:
        logits: Choice name to numbers, one an option; they start at 0.
        alive: Choice name to booleans, one an option.
        baseline: The exponential mean of rewards; None before the first.

    Raises:
        ValueError: If a number is out of range.

    Example:

    >>> controller = PathController([Choice("edge", ("conv", "skip"))], seed=0)
    >>> for _ in range(50):
    ...     paths = [controller.sample() for _ in range(10)]
    ...     controller.update(paths, [float(path["edge"] == ("conv",)) for path in paths])
    >>> bool(controller.probabilities()["edge"][0] > 0.9)
    True

    Reference: Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning",
    1992; independent categoricals and momentum on the old baseline as in TuNAS, https://arxiv.org/abs/2008.06120.
    """

    def __init__(
        self,
        choices: Sequence[Choice],
        *,
        learning_rate: float = 1.0,
        baseline_momentum: float = 0.9,
        seed: int | None = None,
    ) -> None:
        if not (np.isfinite(learning_rate) and learning_rate > 0) or not 0.0 <= baseline_momentum < 1.0:
            raise ValueError(
                "learning_rate must be positive, and baseline_momentum in [0, 1). Received: "
                f"learning_rate={learning_rate}, baseline_momentum={baseline_momentum}. Give 1.0 and 0.9."
            )
        self.choices = {choice.name: choice for choice in choices}
        self.learning_rate = float(learning_rate)
        self.baseline_momentum = float(baseline_momentum)
        self.logits = {choice.name: np.zeros(len(choice.options)) for choice in choices}
        self.alive = {choice.name: np.ones(len(choice.options), dtype=bool) for choice in choices}
        self.baseline: float | None = None
        self._rng = np.random.default_rng(seed)

    def probabilities(self) -> dict[str, np.ndarray]:
        """For each choice the distribution of a draw, of the first one if several are kept: `(num_options,)`."""
        return {name: _softmax(self.logits[name], self._open(name)) for name in self.choices}

    def _open(self, name: str) -> np.ndarray:
        return self.alive[name] & self.choices[name].allowed

    def sample(self) -> Decisions:
        """A network: for each choice the options that it keeps, in the order in which they were drawn."""
        return Decisions({name: self._draw(choice) for name, choice in self.choices.items()})

    def _draw(self, choice: Choice) -> list[str]:
        """One option after another; inputs are left over for those that are still to come."""
        groups, left, kept = np.array(choice.group_numbers), self._open(choice.name), list[str]()
        while len(kept) < choice.keep:
            position = int(self._rng.choice(len(groups), p=_softmax(self.logits[choice.name], left)))
            kept.append(choice.options[position])
            left = left & (groups != groups[position])
        return kept

    def gradient(
        self, paths: Sequence[Mapping[str, Sequence[str]]], rewards: Sequence[float], baseline: float
    ) -> dict[str, np.ndarray]:
        """`mean_i((R_i - baseline) * d log p(path_i) / d logits)`, an estimate of the gradient of the mean reward.

        Args:
            paths: Networks that were drawn.
            rewards: What each of them is worth.
            baseline: Any number that does not depend on these draws.
        """
        found = {name: np.zeros_like(values) for name, values in self.logits.items()}
        for path, reward in zip(paths, rewards, strict=True):
            for name, choice in self.choices.items():
                found[name] += (reward - baseline) * self._score(choice, path[name]) / len(paths)
        return found

    def _score(self, choice: Choice, kept: Sequence[str]) -> np.ndarray:
        """The gradient of the log of the probability with which these options are drawn in this order."""
        groups, left, score = np.array(choice.group_numbers), self._open(choice.name), np.zeros(len(choice.options))
        for option in kept:
            position = choice.options.index(option)
            score -= _softmax(self.logits[choice.name], left)
            score[position] += 1.0
            left = left & (groups != groups[position])
        return score

    def update(self, paths: Sequence[Mapping[str, Sequence[str]]], rewards: Sequence[float]) -> None:
        """Moves the baseline, and then the logits.

        Args:
            paths: Networks that were drawn since the last update.
            rewards: What each of them is worth.

        Raises:
            ValueError: If there are none, or a reward is not finite.
        """
        values = np.asarray(rewards, dtype="float64")
        if not len(values) or not np.isfinite(values).all():
            raise ValueError(
                f"Rewards must be finite numbers, at least one. Received: rewards={list(rewards)}. "
                "Leave out networks that could not be trained."
            )
        mean, keep = float(values.mean()), self.baseline_momentum
        self.baseline = mean if self.baseline is None else keep * self.baseline + (1.0 - keep) * mean
        for name, slope in self.gradient(paths, values.tolist(), self.baseline).items():
            self.logits[name] += self.learning_rate * slope

    def entropy(self) -> float:
        """The mean over choices of the entropy of a draw, as a share of the largest possible: 1 at first."""
        shares = []
        for name, p in self.probabilities().items():
            number = int(self._open(name).sum())
            positive = p[p > 0]
            if number > 1:
                shares.append(-float(np.sum(positive * np.log(positive))) / np.log(number))
        return float(np.mean(shares)) if shares else 0.0

    def get_state(self) -> dict[str, Any]:
        """All that changes, as plain data for JSON."""
        return {
            "logits": {name: values.tolist() for name, values in self.logits.items()},
            "alive": {name: values.tolist() for name, values in self.alive.items()},
            "baseline": self.baseline,
            "rng": self._rng.bit_generator.state,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Takes up what `get_state` returned."""
        self.logits = {name: np.array(values, dtype="float64") for name, values in state["logits"].items()}
        self.alive = {name: np.array(values, dtype=bool) for name, values in state["alive"].items()}
        self.baseline = state["baseline"]
        self._rng.bit_generator.state = state["rng"]


def _softmax(logits: np.ndarray, among: np.ndarray) -> np.ndarray:
    """A softmax over some of the options; 0 at the others."""
    values = np.exp(np.where(among, logits - logits[among].max(), -np.inf))
    return values / values.sum()
