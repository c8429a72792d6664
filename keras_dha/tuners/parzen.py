"""Optuna's tree-structured Parzen estimator as an oracle."""

from collections.abc import Callable
from typing import Any

import keras_tuner
import numpy as np

from keras_dha.tuners.point_oracle import PointOracle, check_counts
from keras_dha.tuners.points import Points, Values, key_of, options_of

_ASKS = 20  # how often Optuna may propose what has been tried


class ParzenOracle(PointOracle):
    """Optuna's `TPESampler`, over any hyper-parameters.

    Multivariate, and with the constant liar: trials that still run count as bad ones, so that workers do not ask for
    the same. The study is made anew for each proposal from the trials there are, so that nothing of it need be saved:
    a search goes on after a kill as if there had been none.

    Args:
        objective: As in `keras_tuner.Oracle`.
        max_trials: How many trials there may be; None: no end but that of the space.
        num_initial_points: Random ones. Default: 10.
        seed: Integer, or None.
        **kwargs: Of `PointOracle`.

    Raises:
        ValueError: If `num_initial_points` is not a positive integer.
        ImportError: If Optuna is missing.

    Reference: Bergstra et al., 2011, as in Optuna 5.0 (https://optuna.org). Differences: where Optuna proposes a point
    again, 20 times, a neighbour of the last one is taken; failed trials count as the worst.
    """

    def __init__(
        self,
        objective: Any = None,
        max_trials: int | None = 10,
        *,
        num_initial_points: int = 10,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(objective, max_trials, seed=seed, **kwargs)
        check_counts(1, num_initial_points=num_initial_points)
        self.num_initial_points = int(num_initial_points)
        self._optuna = _optuna()

    def propose(self, seen: set[str], rng: np.random.Generator) -> Values | None:
        """See `PointOracle`."""
        points, optuna = self.points, self._optuna
        if len(self.start_order) < self.num_initial_points:
            return points.unseen(seen, rng)
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            study = self._study(points, rng)
            for _ in range(_ASKS):
                trial = study.ask()
                values = points.clean(self._asked(points, trial))
                if key_of(values) not in seen:
                    return values
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
        finally:
            optuna.logging.set_verbosity(verbosity)
        for neighbour in points.neighbours(values, rng):
            if key_of(neighbour) not in seen:
                return neighbour
        return points.unseen(seen, rng)

    def _study(self, points: Points, rng: np.random.Generator) -> Any:
        """All trials so far, as Optuna sees them."""
        optuna = self._optuna
        state = optuna.trial.TrialState
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=0, multivariate=True, constant_liar=True, seed=int(rng.integers(2**31))
        )
        study = optuna.create_study(direction="maximize", sampler=sampler)
        values, scores = self.finished()
        finite = scores[np.isfinite(scores)]
        if len(finite):
            for point, score in zip(values, np.maximum(scores, finite.min())):
                study.add_trial(self._frozen(points, point, state=state.COMPLETE, value=float(score)))
        ended = set(self.end_order)
        for name in self.start_order:
            if name not in ended:
                point = points.clean(self.trials[name].hyperparameters.values)
                study.add_trial(self._frozen(points, point, state=state.RUNNING))
        return study

    def _frozen(self, points: Points, values: Values, **known: Any) -> Any:
        spaces = {}

        def note(name: str, hp: Any) -> Any:
            spaces[name] = (self._distribution(hp), values[hp.name])
            return values[hp.name]

        _walk(points, note)
        distributions = {name: distribution for name, (distribution, _) in spaces.items()}
        params = {name: value for name, (_, value) in spaces.items()}
        return self._optuna.trial.create_trial(params=params, distributions=distributions, **known)

    def _distribution(self, hp: Any) -> Any:
        """Numbers in order where Optuna has such a range, else a set."""
        kinds, options, step = self._optuna.distributions, options_of(hp), getattr(hp, "step", None)
        sampling, is_int = getattr(hp, "sampling", ""), isinstance(hp, keras_tuner.engine.hyperparameters.Int)
        if options is None or (step is None and sampling):
            kind = kinds.IntDistribution if is_int else kinds.FloatDistribution
            return kind(hp.min_value, hp.max_value, log=sampling == "log")
        if sampling == "linear":
            kind = kinds.IntDistribution if is_int else kinds.FloatDistribution
            return kind(hp.min_value, options[-1], step=step)
        return kinds.CategoricalDistribution(list(options))

    def _asked(self, points: Points, trial: Any) -> Values:
        def ask(name: str, hp: Any) -> Any:
            space = self._distribution(hp)
            if isinstance(space, self._optuna.distributions.CategoricalDistribution):
                return trial.suggest_categorical(name, space.choices)
            suggest = (
                trial.suggest_int if isinstance(hp, keras_tuner.engine.hyperparameters.Int) else trial.suggest_float
            )
            return suggest(name, space.low, space.high, step=space.step, log=space.log)

        return _walk(points, ask)


def _walk(points: Points, answer: Callable[[str, Any], Any]) -> Values:
    """A point whose values `answer` gives, from a name that no hyper-parameter of another condition shares."""
    values: Values = {}
    for place, hp in enumerate(points.space):
        if points.asks(hp, values):
            options = options_of(hp)
            known = options is not None and len(options) == 1
            values[hp.name] = options[0] if options is not None and known else answer(f"{place}: {hp.name}", hp)
    return values


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ImportError("ParzenOracle needs Optuna: pip install 'keras-dha[tuner]'.") from error
    return optuna
