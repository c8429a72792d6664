"""How many branches of a choice run in a step, counted by the branches."""

from typing import Any

import keras
import numpy as np
import pytest

import keras_dha
from keras_dha.recipes import Recipe, darts_prime, dsnas, gdas, proxyless
from keras_dha.schedules import Schedule

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = np.arange(64) % 2


@keras.saving.register_keras_serializable(package="tests")
class Counted(keras.layers.Dense):
    """A dense layer that counts its calls."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        self.calls.assign_add(1.0)
        return super().call(inputs)


@keras.saving.register_keras_serializable(package="tests")
class CountedSpace(keras_dha.SearchSpace):
    """Two choices of three counted layers, the first asked twice."""

    def build(self, choose: Any) -> keras.Model:
        inputs = keras.Input(self.input_shape)
        options = {name: lambda: Counted(4, activation="tanh") for name in "abc"}
        edge = choose.op("edge", options)
        x = choose.op("other", options)(edge(edge(inputs)))
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))


class Calls(keras.callbacks.Callback):
    """The number of calls of each branch in each step, `(mixtures, options)`."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.last, self.steps = self.count(), []

    def count(self) -> np.ndarray:
        return np.array([[b.calls.numpy() for b in mixture.branches] for mixture in self.model.supernet.mixtures])

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        now = self.count()
        self.steps.append(now - self.last)
        self.last = now


def counted(recipe: Recipe, *, dead: int | None = None) -> list[np.ndarray]:
    model = keras_dha.SearchModel(CountedSpace((4,), 2), recipe, schedule=Schedule(search_fraction=1.0), seed=0)
    if dead is not None:
        for part in model.choice_relaxations:
            part.logits.assign([0.0 if i == dead else 0.5 for i in range(3)])
            part.project()
    calls = Calls()
    model.fit(X, Y, batch_size=16, epochs=2, verbose=0, callbacks=[calls])
    return calls.steps


@pytest.mark.parametrize(("recipe", "passes"), [(dsnas, (1,)), (gdas, (1, 2)), (proxyless, (1, 2))])
def test_one_drawn_branch_runs_in_a_pass(recipe: Any, passes: tuple[int, ...]) -> None:
    steps = counted(recipe())
    # With an architecture that learns from held-out examples, a step that moves it has two passes.
    assert all((step.sum(axis=1) == step.sum(axis=1)[0]).all() for step in steps)
    assert {int(step.sum(axis=1)[0]) for step in steps} <= set(passes)
    assert len({tuple(step[0]) for step in steps}) > 1  # not always the same one


def test_a_dead_branch_does_not_run() -> None:
    steps = counted(darts_prime(activation="clipped"), dead=1)
    assert all((step[:, 1] == 0).all() for step in steps)
    assert all((step[:, [0, 2]] > 0).all() for step in steps)
