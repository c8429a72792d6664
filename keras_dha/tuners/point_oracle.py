"""An oracle that proposes points, each once, from its seed and what has finished."""

import abc
import json
import math
from collections.abc import Sequence
from typing import Any

import keras_tuner
import numpy as np

from keras_dha.tuners.points import Points, Values, key_of
from keras_dha.write_file import write_text


class PointOracle(keras_tuner.Oracle):
    """What the oracles here share; a subclass says which point comes next: `propose`.

    A proposal is a function of the seed, of how many proposals there were before, and of the trials that have finished.
    So a search goes on after a kill as if there had been none: trials that were running are run again, first, with the
    same values. Several workers may ask at any time; none waits for another, unless the first trial has yet to say what
    there is to search. Nothing is proposed twice, failed trials included; when nothing is left, the search ends.

    A trial whose score is not a finite number counts as failed, and a failed one as one of the worst score.

    Args:
        objective: As in `keras_tuner.Oracle`, like all that follow.
        max_trials: How many trials there may be. Default: 10, as in `keras_tuner.RandomSearch`; None: no end but that
            of the space.
        seed: Integer, also 0. None: a random one, which is saved with the state.
        **kwargs: `hyperparameters`, `allow_new_entries`, `tune_new_entries`, `max_retries_per_trial`, and
            `max_consecutive_failed_trials` (default: 3), after which the search gives up.
    """

    trials: dict[str, Any]

    def __init__(
        self, objective: Any = None, max_trials: int | None = 10, *, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(objective=objective, max_trials=max_trials, seed=seed, **kwargs)
        if seed is not None:  # which KerasTuner takes for none if it is 0
            self.seed = self._seed_state = int(seed)
        self._known_space: tuple[str, Points] | None = None

    @abc.abstractmethod
    def propose(self, seen: set[str], rng: np.random.Generator) -> Values | None:
        """The next point; None if there is none left.

        Args:
            seen: Keys of all points proposed so far; the answer's must not be among them.
            rng: Its draws depend on the seed and on how many proposals there were.
        """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Values of the next trial, as `keras_tuner.Oracle` says."""
        points = self.points
        if not points.space and self.start_order:  # the first trial may be about to say what there is
            return {"status": "IDLE" if self.ongoing_trials else "STOPPED"}
        seen = {key_of(points.clean(self.trials[name].hyperparameters.values)) for name in self.start_order}
        values = self.propose(seen, np.random.default_rng([self.seed, len(self.start_order)]))
        return {"status": "STOPPED"} if values is None else {"status": "RUNNING", "values": values}

    @property
    def points(self) -> Points:
        """The space as it is now; trials may add to it."""
        config = json.dumps(self.hyperparameters.get_config()["space"], default=str)
        if self._known_space is None or self._known_space[0] != config:
            self._known_space = (config, Points(self.hyperparameters))
        return self._known_space[1]

    def finished(self) -> tuple[list[Values], np.ndarray]:
        """The points of the trials that have ended, in the order in which they did, and their scores: more is better.

        The score of a failed one is minus infinity.
        """
        trials = [self.trials[name] for name in self.end_order]
        sign = 1.0 if self.objective.direction == "max" else -1.0
        scores = [sign * trial.score if trial.status == "COMPLETED" else -math.inf for trial in trials]
        points = self.points
        return [points.clean(trial.hyperparameters.values) for trial in trials], np.array(scores, dtype=float)

    def score_trial(self, trial: Any) -> None:
        """As in `keras_tuner.Oracle`, but that a score which is not finite is NaN, with which the trial is invalid."""
        means = [observation.mean() for observation in trial.metrics.get_history(self.objective.name)]
        if any(math.isfinite(mean) for mean in means):
            super().score_trial(trial)
        if trial.score is None or not math.isfinite(trial.score):
            trial.score = math.nan

    def get_state(self) -> dict[str, Any]:
        """Plain data. KerasTuner saves a trial that has just ended as one that runs, and would run it again."""
        state = super().get_state()
        over = {*self.end_order, *state["retry_queue"]}
        running = {worker: name for worker, name in state["ongoing_trials"].items() if name not in over}
        return {**state, "ongoing_trials": running}

    def save(self) -> None:
        """Writes the state, whole or not at all: a kill must not leave half a file."""
        path = self._get_oracle_fname()
        if "://" in path:  # only KerasTuner knows how to write there
            super().save()
        else:
            write_text(path, json.dumps(self.get_state()))

    def reload(self) -> None:
        """Reads the state. A trial that was proposed, but not part of it yet, will be proposed again."""
        super().reload()
        self.trials = {name: self.trials[name] for name in self.start_order}


def check_counts(smallest: int, **counts: Any) -> None:
    """Arguments that count something are whole numbers.

    Raises:
        ValueError: If one is not, or is below `smallest`.
    """
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < smallest:
            raise ValueError(f"{name} must be an integer, {smallest} or more. Received: {name}={value!r}.")


def by_score(scores: Sequence[float] | np.ndarray) -> np.ndarray:
    """The positions of scores, best first; of equal ones the first comes first."""
    return np.argsort(-np.asarray(scores, dtype=float), kind="stable")
