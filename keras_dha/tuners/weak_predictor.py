"""A predictor that is only good near the best, made anew each round."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_dha.tuners.encodings import Encoding, OneHot
from keras_dha.tuners.point_oracle import PointOracle, by_score, check_counts
from keras_dha.tuners.points import Points, Values, key_of
from keras_dha.tuners.predictors import fitted, maker

LARGEST_TABLE = 50_000  # points of a space that is ranked whole
_DRAWN, _BEST, _NEIGHBOURS = 1000, 10, 100  # of a larger one: random points, and neighbours of each of the ten best
_MEMBERS = 5  # of the ensemble of expected improvement


@dataclasses.dataclass(frozen=True)
class Candidates:
    """Points that may come next, and what predictors see of them.

    Args:
        values: The points.
        encoded: Shape `(len(values), num_features)`.
    """

    values: list[Values]
    encoded: np.ndarray


class WeakPredictorOracle(PointOracle):
    """Rounds of weak predictors, over any hyper-parameters.

    `f_k = argmin_f sum_{x tried} (f(x) - y(x))^2`, `T_k` the `pool_size` points of greatest `f_k(x)`, next are
    `round_size` of `T_k` that were not tried, drawn uniformly; if fewer are left, the next best. First come
    `num_initial_points` random ones. A space of at most 50,000 points is ranked whole; of a larger one, 1,000 random
    points, a hundred neighbours of each of the ten best, and what has been tried.

    The oracle for few trials: on NAS-Bench-201 it needs less than half of the trials of `RegularizedEvolutionOracle`.

    Args:
        objective: As in `keras_tuner.Oracle`.
        max_trials: How many trials there may be; None: no end but that of the space.
        num_initial_points: Random ones, at least 2. Default: 10.
        round_size: Trials between two predictors. Default: 5.
        pool_size: Points that they are drawn from. Default: 20.
        predictor: `"tree"`, `"forest"`, `"boosting"` or `"mlp"` (scikit-learn), or an object with `fit` and `predict`,
            copied for each round. Default: `"boosting"`.
        encoding: An `Encoding`. Default: `OneHot()`; for cells, `CellPaths` needs fewer trials.
        acquisition: `"top"`, as above; `"expected_improvement"`: next are those of greatest
            `s (g Phi(g) + phi(g))`, `g = (m - best y) / s`, of mean `m` and deviation `s` of five predictors, each of
            another bootstrap sample.
        labels: `"ranks"`: y is a trial's rank among those tried; `"scores"`: its score. Both are standardized over
            what was tried, and nothing else. Default: `"ranks"`.
        warm_start: Scores that are known without a trial, such as those of a trained supernet; greater is better: a
            function of a point, called once for each candidate, or a mapping from `key_of(point)`. Until there are
            labels, points come from its top; then it is one more feature. Points without a finite score count as
            average. Default: None.
        seed: Integer, or None.
        **kwargs: Of `PointOracle`.

    Raises:
        ValueError: If an argument is not as said.
        ImportError: If scikit-learn is needed, and missing.

    Example:

    ```python
    oracle = WeakPredictorOracle("val_accuracy", max_trials=100, encoding=CellPaths.of_nas_bench_201(), seed=0)
    tuner = keras_tuner.Tuner(oracle, SpaceHyperModel(space), directory="runs")
    ```

    Reference: Wu et al., https://arxiv.org/abs/2102.10490; the published setting is `predictor="mlp"`,
    `num_initial_points=10, round_size=10, pool_size=100, labels="scores"` (their perceptron is larger). Ours: ranks as
    labels, boosting of trees, candidates of large spaces, the warm start, workers that do not wait. Their released code
    standardizes labels over the whole table, and has the sign of the best label wrong in the expected improvement.
    """

    def __init__(
        self,
        objective: Any = None,
        max_trials: int | None = 10,
        *,
        num_initial_points: int = 10,
        round_size: int = 5,
        pool_size: int = 20,
        predictor: Any = "boosting",
        encoding: Encoding | None = None,
        acquisition: str = "top",
        labels: str = "ranks",
        warm_start: Callable[[Values], float] | Mapping[str, float] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(objective, max_trials, seed=seed, **kwargs)
        check_counts(2, num_initial_points=num_initial_points)
        check_counts(1, round_size=round_size, pool_size=pool_size)
        if acquisition not in ("top", "expected_improvement") or labels not in ("ranks", "scores"):
            raise ValueError(
                "acquisition must be 'top' or 'expected_improvement', labels 'ranks' or 'scores'. "
                f"Received: acquisition={acquisition!r}, labels={labels!r}. Leave both out for the defaults."
            )
        if warm_start is not None and not callable(warm_start) and not isinstance(warm_start, Mapping):
            raise ValueError(
                "warm_start must be a function of a point, or a mapping from key_of(point). "
                f"Received: warm_start={warm_start!r}. Leave it out for none."
            )
        self.num_initial_points, self.round_size = int(num_initial_points), int(round_size)
        self.pool_size = int(pool_size)
        self.encoding = OneHot() if encoding is None else encoding
        self.acquisition, self.labels, self.warm_start = acquisition, labels, warm_start
        self._make = maker(predictor)
        self._queue: list[Values] = []
        self._warm: dict[str, float] = {}
        self._table: tuple[Points, Candidates | None] | None = None

    def propose(self, seen: set[str], rng: np.random.Generator) -> Values | None:
        """See `PointOracle`."""
        points = self.points
        queue = [points.clean(values) for values in self._queue]  # a trial may have brought new hyper-parameters
        queue = [values for values in queue if key_of(values) not in seen]
        if not queue:
            values, scores = self.finished()
            known = np.isfinite(scores).sum() >= 2
            if len(self.start_order) >= self.num_initial_points and known:
                queue = self._next_round(values, scores, seen, rng)
            elif self.warm_start is not None:
                queue = self._from_warm_start(values, scores, seen, rng)
        self._queue = queue[1:]
        return queue[0] if queue else points.unseen(seen, rng)

    def _next_round(
        self, values: list[Values], scores: np.ndarray, seen: set[str], rng: np.random.Generator
    ) -> list[Values]:
        candidates = self._candidates(values, scores, rng)
        y = standardized(scores, ranks=self.labels == "ranks")
        x, all_x = self.encoding.encode(self.points, values), candidates.encoded
        if self.warm_start is not None:
            x, all_x = self._with_warm_scores(x, values, all_x, candidates.values)
        if self.acquisition == "top":
            model = fitted(self._make, int(rng.integers(2**31)), x, y)
            return self._drawn(candidates, model.predict(all_x), seen, rng)
        predictions = []
        for _ in range(_MEMBERS):
            rows = rng.integers(len(y), size=len(y))
            model = fitted(self._make, int(rng.integers(2**31)), x[rows], y[rows])
            predictions.append(model.predict(all_x))
        mean, deviation = np.mean(predictions, axis=0), np.std(predictions, axis=0)
        return self._best_new(candidates, expected_improvement(mean, deviation, y.max()), seen, rng)

    def _from_warm_start(
        self, values: list[Values], scores: np.ndarray, seen: set[str], rng: np.random.Generator
    ) -> list[Values]:
        candidates = self._candidates(values, scores, rng)
        known = self._warm_scores(candidates.values)
        return self._drawn(candidates, np.where(np.isfinite(known), known, _mean(known)), seen, rng)

    def _drawn(
        self, candidates: Candidates, scores: np.ndarray, seen: set[str], rng: np.random.Generator
    ) -> list[Values]:
        """New ones of the top, or, where too few are left there, the best new ones."""
        order = _ranked(scores, rng)
        pool = [i for i in order[: self.pool_size] if key_of(candidates.values[i]) not in seen]
        if len(pool) < self.round_size:
            return self._best_new(candidates, scores, seen, rng)
        return [candidates.values[i] for i in rng.choice(pool, self.round_size, replace=False)]

    def _best_new(
        self, candidates: Candidates, scores: np.ndarray, seen: set[str], rng: np.random.Generator
    ) -> list[Values]:
        ranked = (candidates.values[i] for i in _ranked(scores, rng))
        return list(itertools.islice((point for point in ranked if key_of(point) not in seen), self.round_size))

    def _candidates(self, values: list[Values], scores: np.ndarray, rng: np.random.Generator) -> Candidates:
        points = self.points
        if self._table is None or self._table[0] is not points:
            every = points.up_to(LARGEST_TABLE)
            known = Candidates(every, self.encoding.encode(points, every)) if every else None
            self._table = (points, known)
        if self._table[1] is not None:
            return self._table[1]
        found = [*values, *(points.random(rng) for _ in range(_DRAWN))]
        for best in by_score(scores)[:_BEST]:
            found.extend(itertools.islice(points.neighbours(values[best], rng), _NEIGHBOURS))
        different = list({key_of(point): point for point in found}.values())
        return Candidates(different, self.encoding.encode(points, different))

    def _with_warm_scores(
        self, x: np.ndarray, values: list[Values], all_x: np.ndarray, all_values: list[Values]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows of what was tried and of all candidates, with one column more, of variance 1 over the candidates."""
        here, everywhere = self._warm_scores(values), self._warm_scores(all_values)
        mean, finite = _mean(everywhere), everywhere[np.isfinite(everywhere)]
        spread = float(finite.std()) if len(finite) else 0.0
        columns = [np.where(np.isfinite(known), known - mean, 0.0) / (spread or 1.0) for known in (here, everywhere)]
        return np.column_stack([x, columns[0]]), np.column_stack([all_x, columns[1]])

    def _warm_scores(self, values: list[Values]) -> np.ndarray:
        known = self.warm_start
        for point in values:
            key = key_of(point)
            if key not in self._warm:
                score = known.get(key) if isinstance(known, Mapping) else known(dict(point)) if known else None
                self._warm[key] = math.nan if score is None else float(score)
        return np.array([self._warm[key_of(point)] for point in values])

    def get_state(self) -> dict[str, Any]:
        """Plain data; with the points of the round that are still to come."""
        return {**super().get_state(), "queue": self._queue}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_state` gave."""
        super().set_state(state)
        self._queue = [dict(values) for values in state["queue"]]


def standardized(scores: np.ndarray, *, ranks: bool) -> np.ndarray:
    """Labels of mean 0 and variance 1; those of failed trials are that of the worst other one.

    Args:
        scores: At least one of them finite; minus infinity where a trial has failed.
        ranks: Whether the order alone counts; of equal scores each has their mean rank.
    """
    labels = np.maximum(scores, scores[np.isfinite(scores)].min())
    if ranks:
        _, group, count = np.unique(labels, return_inverse=True, return_counts=True)
        labels = (np.cumsum(count) - (count - 1) / 2)[group]
    return (labels - labels.mean()) / (labels.std() or 1.0)


def expected_improvement(mean: np.ndarray, deviation: np.ndarray, best: float) -> np.ndarray:
    """`E[max(0, y - best)]` for normal `y`: by how much a point is expected to be better than the best one.

    Args:
        mean: Of `y`, which is to be great.
        deviation: Of `y`; not negative.
        best: The greatest `y` so far.
    """
    spread = np.maximum(deviation, 1e-9)
    gain = (mean - best) / spread
    below = 0.5 * (1.0 + np.array([math.erf(value / math.sqrt(2.0)) for value in gain]))
    return spread * (gain * below + np.exp(-0.5 * gain**2) / math.sqrt(2.0 * math.pi))


def _ranked(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Positions, best first; equal ones in random order."""
    mixed = rng.permutation(len(scores))
    return mixed[by_score(scores[mixed])]


def _mean(scores: np.ndarray) -> float:
    """Of the finite ones."""
    finite = scores[np.isfinite(scores)]
    return float(finite.mean()) if len(finite) else 0.0
