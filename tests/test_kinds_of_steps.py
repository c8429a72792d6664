"""Several steps at a time, and several batches a step, as in Keras."""

import itertools
from typing import Any

import keras
import numpy as np
import pytest
from tiny_space import TinySpace, images, search_model

from keras_dha import SearchModel, roles
from keras_dha.relaxations import Softmax
from keras_dha.schedules import Schedule

X, Y = images(64)


def plain(**arguments: Any) -> SearchModel:
    model = search_model(
        space=TinySpace(normalize=False),
        relaxation=Softmax(),
        augmentation=None,
        hyperparameters=None,
        schedule=Schedule(search_fraction=0.5, warmup_fraction=0.0),
    )
    model.compile(**arguments)
    return model


@pytest.mark.parametrize("number", [2, 3])  # three do not divide the eight steps of an epoch
def test_several_steps_are_run_at_a_time(number: int) -> None:
    """Progress, and with it the rate's annealing, is that of the first of them."""
    one, several = plain(), plain(steps_per_execution=number)
    histories = [model.fit(X, Y, batch_size=8, epochs=2, verbose=0).history for model in (one, several)]
    assert [int(model.steps.numpy()) for model in (one, several)] == [16, 16]
    assert [history["phase"] for history in histories] == [[0.0, 1.0]] * 2
    np.testing.assert_allclose(histories[1]["loss"], histories[0]["loss"], rtol=0.01)
    np.testing.assert_allclose(several.derive()(X), several(X), atol=1e-5)


def test_gradients_of_several_batches_are_one_step_of_the_weights() -> None:
    model = plain(optimizer=keras.optimizers.SGD(0.1, gradient_accumulation_steps=2))
    weights = roles.partition(model.trainable_variables)[roles.WEIGHT]
    seen = [[weight.numpy() for weight in weights]]
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append([weight.numpy() for weight in weights])
    )
    model.fit(X, Y, batch_size=16, epochs=2, callbacks=[look], verbose=0)
    moved = [any(not np.array_equal(a, b) for a, b in zip(*pair, strict=True)) for pair in itertools.pairwise(seen)]
    assert moved[:4] == [False, True, False, True]
