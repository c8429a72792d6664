"""The oldest dies, the best of a sample has a child."""

from typing import Any

import numpy as np

from keras_dha.tuners.point_oracle import PointOracle, check_counts
from keras_dha.tuners.points import Values, key_of


class RegularizedEvolutionOracle(PointOracle):
    """Regularized evolution, over any hyper-parameters.

    The population is the last `population_size` trials that have ended. Of `sample_size` of them, drawn with
    replacement, the best is the parent; the next trial is the parent with one hyper-parameter, drawn uniformly, at
    another value, drawn uniformly. Until `population_size` trials have been proposed they are random.

    Needs nothing but scores, costs next to nothing, and with hundreds of trials is hard to beat; with fewer use
    `WeakPredictorOracle`.

    Args:
        objective: As in `keras_tuner.Oracle`.
        max_trials: How many trials there may be; None: no end but that of the space.
        population_size: How many of the last trials may be parents. Default: 50.
        sample_size: How many of them compete. Default: 10.
        seed: Integer, or None.
        **kwargs: Of `PointOracle`.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:

    ```python
    oracle = RegularizedEvolutionOracle("val_accuracy", max_trials=300, seed=0)
    tuner = keras_tuner.Tuner(oracle, SpaceHyperModel(space), directory="runs")
    ```

    Reference: Real et al., https://arxiv.org/abs/1802.01548. Differences: nothing is tried twice: if a child has been,
    another of the same parent is drawn, if all have been, one with more changes; workers do not wait for each other, so
    that the age of a trial is when it ended; the sizes are those that do best on NAS-Bench-201 (docs/tuners.md).
    """

    def __init__(
        self,
        objective: Any = None,
        max_trials: int | None = 10,
        *,
        population_size: int = 50,
        sample_size: int = 10,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(objective, max_trials, seed=seed, **kwargs)
        check_counts(1, population_size=population_size, sample_size=sample_size)
        self.population_size, self.sample_size = int(population_size), int(sample_size)

    def propose(self, seen: set[str], rng: np.random.Generator) -> Values | None:
        """See `PointOracle`."""
        points = self.points
        values, scores = self.finished()
        if len(self.start_order) < self.population_size or not values:
            return points.unseen(seen, rng)
        first = max(0, len(values) - self.population_size)
        drawn = rng.integers(first, len(values), size=self.sample_size)
        child = values[drawn[np.argmax(scores[drawn])]]
        for _ in points.space:  # one change more in each turn, from where the last one has led
            neighbour = child
            for neighbour in points.neighbours(child, rng):
                if key_of(neighbour) not in seen:
                    return neighbour
            child = neighbour
        return points.unseen(seen, rng)
