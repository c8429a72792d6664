"""Leaves options out of a space, the least probable first, until the rest fits into memory."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_dha.spaces import Choice, Decisions
from keras_dha.tuners.byte_sizes import readable
from keras_dha.tuners.path_controller import PathController

Alive = dict[str, tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Pruning:
    """How options are left out. All numbers are ours, and so is what they mean.

    Args:
        samples: Networks that are drawn and rewarded in each round.
        batch: Networks of each update of the controller.
        learning_rate: Of the controller, on the mean gradient of a batch.
        baseline_momentum: What of the old baseline stays in each update.
        at_least: How many options each choice keeps alive, if it has as many.
        min_spread: A choice whose largest and smallest probability differ by less is not pruned in this round: the
            controller has not learned anything of it.
        patience: How many rounds in a row may end without any choice pruned.

    Raises:
        ValueError: If a number is out of range.
    """

    samples: int = 150
    batch: int = 10
    learning_rate: float = 1.0
    baseline_momentum: float = 0.9
    at_least: int = 2
    min_spread: float = 0.01
    patience: int = 3

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("samples", "batch", "at_least", "patience")}
        wrong = {name: value for name, value in counts.items() if not isinstance(value, int) or value < 1}
        if wrong or not 0.0 <= self.min_spread < 1.0 or self.batch > self.samples:
            raise ValueError(
                "samples, batch, at_least and patience must be integers from 1, batch at most samples, and min_spread "
                f"in [0, 1). Received: {self}. Correct them."
            )


class SpacePruning:
    """Rounds of REINFORCE, each of which leaves out the least probable option of every choice, until the rest fits.

    RADARS-style, without training: ask `propose()` for a network, hand what it is worth to `observe()`, and go on until
    `done`. Choices are pruned in the order in which they are decided, the largest spread of probabilities first, and
    pruning stops as soon as `memory(alive) <= budget`. An option is not left out if the budget could not be met any
    more: what remains can always be cut further, down to its cheapest options.

    Args:
        choices: Choices whose options may be left out.
        memory: From the options that are alive, by choice, to bytes; it must not grow when options are left out.
        budget: Bytes.
        pruning: How options are left out.
        seed: Of the draws.

    Attributes:
        history: One dict a round: number of `samples`, `mean_reward`, `entropy`, `baseline`, `memory`, number of
            `options` of each choice, what was `dropped`, which choices were `skipped`, how many rewards were
            `rejected`.

    Raises:
        ValueError: If the budget cannot be met, before anything is drawn.

    Example:

    >>> choices = [Choice("edge", ("conv", "pool", "skip"))]
    >>> search = SpacePruning(choices, lambda alive: 10 * len(alive["edge"]), 20, seed=0)
    >>> while not search.done:
    ...     path = search.propose()
    ...     search.observe(path, float(path["edge"] != ("skip",)))
    >>> search.alive()
    {'edge': ('conv', 'pool')}

    Reference: reconstructed from the abstract of Yan, Jiang, Hu, Shi, "RADARS: Memory Efficient Reinforcement Learning
    Aided Differentiable Neural Architecture Search", https://arxiv.org/abs/2109.05691, which says that reinforcement
    learning prunes iteratively until a promising subspace is left. Controller, rewards, what is pruned and when are
    ours.
    """

    def __init__(
        self,
        choices: Sequence[Choice],
        memory: Callable[[Alive], int],
        budget: int,
        *,
        pruning: Pruning | None = None,
        seed: int | None = None,
    ) -> None:
        self.pruning = pruning or Pruning()
        self.budget = int(budget)
        self.controller = PathController(
            choices,
            learning_rate=self.pruning.learning_rate,
            baseline_momentum=self.pruning.baseline_momentum,
            seed=seed,
        )
        self.history: list[dict[str, Any]] = []
        self._choices = self.controller.choices
        self._memory = memory
        self._costs = self._measured()
        self._batch: list[tuple[Decisions, float]] = []
        self._rewards: list[float] = []
        self._rejected, self._idle = 0, 0
        least = self._memory(self._cheapest(self.alive()))
        if least > self.budget:
            raise ValueError(
                f"The budget must hold the smallest space that pruning may leave, {self.pruning.at_least} options a "
                f"choice. Received: budget={readable(self.budget)}, the smallest space {readable(least)}. "
                "Raise the budget, or lower the batch size."
            )

    def _measured(self) -> dict[str, np.ndarray]:
        """What each option adds to the memory of the whole."""
        whole = self.alive()
        total, costs = self._memory(whole), dict[str, np.ndarray]()
        for name, options in whole.items():
            without = [tuple(other for other in options if other != option) for option in options]
            costs[name] = np.array([total - self._memory({**whole, name: rest}) if rest else 0 for rest in without])
        return costs

    @property
    def done(self) -> bool:
        """Whether what is alive fits."""
        return self.memory <= self.budget

    @property
    def memory(self) -> int:
        """The bytes of what is alive."""
        return self._memory(self.alive())

    def alive(self) -> Alive:
        """The options that are left, by choice; those that are never kept are among them."""
        return {
            name: tuple(option for option, lives in zip(choice.options, self.controller.alive[name]) if lives)
            for name, choice in self._choices.items()
        }

    def propose(self) -> Decisions:
        """The next network to be rewarded."""
        return self.controller.sample()

    def observe(self, path: Mapping[str, Sequence[str]], reward: float) -> None:
        """Learns what a network is worth, and prunes at the end of a round.

        Args:
            path: A network that `propose` gave.
            reward: The more the better, such as an accuracy in [0, 1]. What is not finite is rejected, and not counted.

        Raises:
            RuntimeError: If `patience` rounds in a row end without any choice pruned, or a round's worth of rewards is
                rejected.
        """
        if self.done:
            return
        if not math.isfinite(reward):
            self._rejected += 1
            if self._rejected >= self.pruning.samples + len(self._rewards):
                raise RuntimeError(
                    f"Rewards must be finite. Received: {self._rejected} that are not, last {reward!r} for {path}. "
                    "See why networks fail; a lower learning rate may help."
                )
            return
        self._batch.append((Decisions(path), float(reward)))
        self._rewards.append(float(reward))
        ends = len(self._rewards) >= self.pruning.samples
        if len(self._batch) == self.pruning.batch or ends:
            self.controller.update(*zip(*self._batch))
            self._batch = []
        if ends:
            self._end_round()

    def _end_round(self) -> None:
        record: dict[str, Any] = {
            "samples": len(self._rewards),
            "rejected": self._rejected,
            "mean_reward": float(np.mean(self._rewards)),
            "baseline": self.controller.baseline,
            "entropy": self.controller.entropy(),
        }
        dropped, skipped = self._prune()
        options = {name: len(left) for name, left in self.alive().items()}
        record |= {"dropped": dropped, "skipped": skipped, "memory": self.memory, "options": options}
        self.history.append(record)
        self._rewards, self._rejected = [], 0
        self._idle = 0 if dropped else self._idle + 1
        if self._idle >= self.pruning.patience and not self.done:
            raise RuntimeError(
                "Rewards must tell options apart for a space to be pruned. Received: no choice whose probabilities "
                f"differ by {self.pruning.min_spread} after {self._idle} rounds of {self.pruning.samples} networks, "
                f"{readable(self.memory)} of {readable(self.budget)}. Give more samples, or a lower min_spread."
            )

    def _prune(self) -> tuple[dict[str, str], list[str]]:
        """One option of each choice, the most decided first, until the rest fits; and choices left as they are."""
        dropped, skipped = dict[str, str](), list[str]()
        spreads = {}
        for name, p in self.controller.probabilities().items():
            own = p[self._droppable(name)]
            spreads[name] = float(own.max() - own.min()) if own.size else 0.0
        for name in sorted(spreads, key=lambda name: -spreads[name]):
            if self.done:
                break
            if np.sum(self._droppable(name)) <= self._least(name):
                continue
            if spreads[name] < self.pruning.min_spread:
                skipped.append(name)
                continue
            option = self._drop(name)
            if option is not None:
                dropped[name] = option
        return dropped, skipped

    def _drop(self, name: str) -> str | None:
        """Leaves out the least probable option with which the budget stays within reach; None if there is none."""
        p, own = self.controller.probabilities()[name], self.controller.alive[name]
        for position in np.argsort(p, kind="stable"):
            if not self._droppable(name)[position]:
                continue
            own[position] = False
            if self._is_answerable(name) and self._memory(self._cheapest(self.alive())) <= self.budget:
                return self._choices[name].options[position]
            own[position] = True
        return None

    def _droppable(self, name: str) -> np.ndarray:
        """Options that are alive and may be kept; the others are never drawn, and stay."""
        return self.controller.alive[name] & self._choices[name].allowed

    def _least(self, name: str) -> int:
        choice = self._choices[name]
        return min(max(self.pruning.at_least, choice.keep), int(choice.allowed.sum()))

    def _is_answerable(self, name: str) -> bool:
        choice = self._choices[name]
        return len(set(np.array(choice.group_numbers)[self._droppable(name)])) >= choice.keep

    def _cheapest(self, alive: Alive) -> Alive:
        """Each choice cut to the options that add least: as many as it keeps, of an input each, and then any others."""
        return {name: self._cut(name, options) for name, options in alive.items()}

    def _cut(self, name: str, options: tuple[str, ...]) -> tuple[str, ...]:
        choice, costs = self._choices[name], self._costs[name]
        lives = np.isin(choice.options, options) & choice.allowed
        kept = [int(i) for i in choice.top(np.where(lives, -costs, -np.inf))]
        others = [int(i) for i in np.argsort(costs, kind="stable") if lives[i] and i not in kept]
        kept += others[: max(0, self._least(name) - len(kept))]
        never = [i for i, option in enumerate(choice.options) if option in options and not choice.allowed[i]]
        return tuple(choice.options[i] for i in sorted([*kept, *never]))

    def get_state(self) -> dict[str, Any]:
        """All that changes, as plain data for JSON: a search that takes it up goes on as this one."""
        return {
            "controller": self.controller.get_state(),
            "history": self.history,
            "batch": [[{name: list(kept) for name, kept in path.items()}, reward] for path, reward in self._batch],
            "rewards": self._rewards,
            "counts": [self._rejected, self._idle],
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Takes up what `get_state` returned."""
        self.controller.set_state(state["controller"])
        self.history = [dict(record) for record in state["history"]]
        self._batch = [(Decisions(path), float(reward)) for path, reward in state["batch"]]
        self._rewards = [float(reward) for reward in state["rewards"]]
        self._rejected, self._idle = state["counts"]
