"""The points of `keras_tuner.HyperParameters`: all of them, a random one, those beside one, and whether two are one."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras_tuner
import numpy as np

Values = dict[str, Any]

_DRAWS = 20  # neighbours along a continuous hyper-parameter
_STEP = 0.2  # their distance, as a standard deviation, where the range is [0, 1]
_MOST_OPTIONS = 1000  # of one hyper-parameter; more are drawn from, not listed


class Points:
    """The points of a space of hyper-parameters, as mappings of the names of the active ones to their values.

    Of conditional hyper-parameters a point has those that are active, as in `HyperParameters.values`. Numbers lose on
    their way through KerasTuner's messages between processes what 32 bits do not hold: `clean` mends that, and floats
    count as equal if six digits are.

    Args:
        hyperparameters: Choice, Int, Float, Boolean, Fixed, also conditional ones.

    Attributes:
        space: The hyper-parameters, parents before those whose condition they are.

    Example:

    >>> import keras_tuner
    >>> hp = keras_tuner.HyperParameters()
    >>> _ = hp.Choice("op", ["conv", "pool"])
    >>> _ = hp.Int("size", 1, 2, parent_name="op", parent_values=["conv"])
    >>> list(Points(hp).every())
    [{'op': 'conv', 'size': 1}, {'op': 'conv', 'size': 2}, {'op': 'pool'}]
    """

    def __init__(self, hyperparameters: keras_tuner.HyperParameters) -> None:
        self.space = _parents_first(hyperparameters.space)
        self._options = [options_of(hp) for hp in self.space]
        self._known = [(hp, hp.name, hp.conditions, options) for hp, options in zip(self.space, self._options)]
        self._parents = {condition.name for hp in self.space for condition in hp.conditions}

    def every(self) -> Iterator[Values]:
        """All points, in order; without end in sight if there are many, so take care.

        Raises:
            ValueError: If there is a continuous hyper-parameter.
        """
        continuous = [hp.name for hp, options in zip(self.space, self._options) if options is None]
        if continuous:
            raise ValueError(
                f"Only a finite space can be listed. Received: the continuous hyper-parameters {continuous}. "
                "Give them a step, or draw points with random()."
            )
        return self._every(0, {})

    def _every(self, place: int, values: Values) -> Iterator[Values]:
        while place < len(self.space) and not self.asks(self.space[place], values):
            place += 1
        if place == len(self.space):
            yield dict(values)
            return
        name = self.space[place].name
        for option in self._options[place] or ():
            values[name] = option
            yield from self._every(place + 1, values)
        del values[name]

    def up_to(self, limit: int) -> list[Values] | None:
        """All points, if they are finitely many, and at most `limit`; else None."""
        at_least = 1
        for hp, options in zip(self.space, self._options):
            at_least *= 1 if hp.conditions else len(options or ())
        if at_least > limit or any(options is None for options in self._options):
            return None
        found = list(itertools.islice(self.every(), limit + 1))
        return found if len(found) <= limit else None

    def random(self, rng: np.random.Generator) -> Values:
        """A point, each of its values drawn uniformly from those that are possible, or by the hyper-parameter."""
        if self._parents:
            return self.complete({}, rng)
        shares = rng.random(len(self._known)).tolist()  # all are asked: the same numbers as one by one, in one call
        return {name: _at(hp, options, share) for (hp, name, _, options), share in zip(self._known, shares)}

    def complete(self, values: Mapping[str, Any], rng: np.random.Generator | None = None) -> Values:
        """The point that has these values where it can; others are drawn, or their defaults if there is no `rng`."""
        point: Values = {}
        for hp, name, conditions, options in self._known:  # the same as asks(), which thousands of points would slow
            if name in point or (conditions and not all(condition.is_active(point) for condition in conditions)):
                continue
            value = nearest(hp, options, values[name]) if name in values else None
            if value is None:
                value = hp.default if rng is None else _drawn(hp, options, rng)
            point[name] = value
        return point

    def clean(self, values: Mapping[str, Any]) -> Values:
        """The point that a trial's values are."""
        return self.complete(values)

    def neighbours(self, values: Mapping[str, Any], rng: np.random.Generator) -> Iterator[Values]:
        """Points in which one hyper-parameter has another value: each time of a random one, a random one.

        All of them, each once, but along continuous hyper-parameters, and those of more than a thousand values, along
        which a few are drawn. Where the change makes others active, these are drawn, too.
        """
        moves = {}
        for hp, options in zip(self.space, self._options):
            if hp.name in values and self.asks(hp, {k: v for k, v in values.items() if k != hp.name}):
                others = _others(hp, options, values[hp.name], rng)
                if others:
                    moves[hp.name] = others
        while moves:
            name = list(moves)[rng.integers(len(moves))]
            moved = {**values, name: moves[name].pop()}
            yield self.complete(moved, rng) if name in self._parents else moved
            if not moves[name]:
                del moves[name]

    def unseen(self, seen: set[str], rng: np.random.Generator) -> Values | None:
        """A random point whose key is not in `seen`; None if there is none."""
        for _ in range(100):
            point = self.random(rng)
            if key_of(point) not in seen:
                return point
        if any(options is None for options in self._options):
            return None
        left = [point for point in itertools.islice(self.every(), len(seen) + 100) if key_of(point) not in seen]
        return left[rng.integers(len(left))] if left else None

    @staticmethod
    def asks(hp: Any, values: Mapping[str, Any]) -> bool:
        """Whether a point with these values has one of the hyper-parameter, too: it is active, and its name is free."""
        return hp.name not in values and all(condition.is_active(values) for condition in hp.conditions)


def key_of(values: Mapping[str, Any]) -> str:
    """The same text for the same point, whatever the order of names; floats count to six digits."""
    plain = {name: float(f"{value:.6g}") if isinstance(value, float) else value for name, value in values.items()}
    return json.dumps(plain, sort_keys=True)


def options_of(hp: Any) -> Sequence[Any] | None:
    """The values that a hyper-parameter can have, in order; None if it is continuous."""
    if isinstance(hp, keras_tuner.engine.hyperparameters.Int):
        return range(hp.min_value, hp.max_value + 1) if hp.step is None else [int(value) for value in hp.values]
    if isinstance(hp, keras_tuner.engine.hyperparameters.Float) and hp.step is None:
        return None if hp.max_value > hp.min_value else [hp.min_value]
    return list(hp.values)


def nearest(hp: Any, options: Sequence[Any] | None, value: Any) -> Any:
    """The value that a hyper-parameter can have, and that `value` was before it was rounded; None if there is none."""
    if options is None:
        return float(np.clip(value, hp.min_value, hp.max_value))
    if value in options or not isinstance(value, (int, float)) or isinstance(value, bool):
        return value if value in options else None
    numbers = [option for option in options if isinstance(option, (int, float)) and not isinstance(option, bool)]
    best = min(numbers, key=lambda option: abs(option - value), default=None)
    return best if best is not None and np.isclose(best, value, rtol=1e-5) else None


def _drawn(hp: Any, options: Sequence[Any] | None, rng: np.random.Generator) -> Any:
    return _at(hp, options, float(rng.random()))  # several times as fast as rng.integers


def _at(hp: Any, options: Sequence[Any] | None, share: float) -> Any:
    """The value at a share in [0, 1) of the way through those that are possible."""
    if options is None or len(options) > _MOST_OPTIONS:
        return hp.prob_to_value(share)
    return options[int(len(options) * share)]


def _others(hp: Any, options: Sequence[Any] | None, value: Any, rng: np.random.Generator) -> list[Any]:
    """Other values, in random order."""
    if options is None:
        here = hp.value_to_prob(value)
        probabilities = np.clip(here + _STEP * rng.normal(size=_DRAWS), 0.0, 1.0)
        return [other for other in map(hp.prob_to_value, map(float, probabilities)) if other != value]
    if len(options) > _MOST_OPTIONS:
        drawn = {_drawn(hp, options, rng) for _ in range(_DRAWS)} - {value}
        return sorted(drawn)
    return [options[int(i)] for i in rng.permutation(len(options)) if options[int(i)] != value]


def _parents_first(space: Sequence[Any]) -> list[Any]:
    """The hyper-parameters, those with conditions behind the ones that these name; messages bring them mixed."""
    placed: list[Any] = []
    waiting = list(space)
    while waiting:
        open_names = {hp.name for hp in waiting}
        ready = (hp for hp in waiting if not {condition.name for condition in hp.conditions} & (open_names - {hp.name}))
        first = next(ready, waiting[0])  # there is one, unless conditions go in a circle, which no trial can ask
        placed.append(first)
        waiting.remove(first)
    return placed
