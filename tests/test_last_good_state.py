"""A number that is not finite costs steps of an epoch, and never the model."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from tiny_space import TinySpace, assert_same, images, search_model, weights_of

from keras_dha.relaxations import Softmax

X, Y = images(64)
BATCH = 16  # four steps an epoch


class Spoilt(keras.losses.SparseCategoricalCrossentropy):
    """Cross-entropy that is not a number in steps from `first` to `last`, counted by itself, also after going back."""

    def __init__(self, first: int, last: int = 10_000) -> None:
        super().__init__(from_logits=True)
        self.first, self.last = first, last
        self.calls = tf.Variable(0, trainable=False)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        at = self.calls.read_value()
        spoils = ops.logical_and(at >= self.first, at <= self.last)
        return super().call(y_true, y_pred) * ops.where(spoils, float("nan"), 1.0)


class Count(keras.callbacks.Callback):
    """Moves the loss's count after each training step."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.model.loss.calls.assign_add(1)


def spoilt_model(loss: Spoilt) -> Any:
    model = search_model(space=TinySpace(), augmentation=None, relaxation=Softmax())
    model.compile(loss=loss)
    return model


def fit(model: Any, epochs: int, **arguments: Any) -> Any:
    return model.fit(X, Y, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[Count()], **arguments).history


def finite(model: Any) -> bool:
    return all(np.isfinite(ops.convert_to_numpy(variable)).all() for variable in model.variables)


def test_a_step_that_spoils_everything_is_undone() -> None:
    model = spoilt_model(Spoilt(5, 5))
    with pytest.warns(
        UserWarning, match=r"Received: loss=nan in epoch 2, at batch 2\. .* before epoch 2; .* the 1\. time"
    ):
        history = fit(model, 3)
    assert finite(model)
    assert model.settled
    assert np.isfinite(history["loss"]).all()
    assert np.isfinite(model.derive().predict(X, verbose=0)).all()


def test_what_cannot_be_finite_ends_with_an_error_and_the_last_good_model() -> None:
    model = spoilt_model(Spoilt(4))  # from the second epoch on
    states = []

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            states.append(weights_of(self.model))

    error = r"before epoch 2, to which it went back 3 times before\. Lower the"
    with pytest.warns(UserWarning, match="must be finite") as told, pytest.raises(FloatingPointError, match=error):
        model.fit(X, Y, batch_size=BATCH, epochs=3, verbose=0, callbacks=[Count(), Keep()])
    messages = [str(one.message) for one in told if "must be finite" in str(one.message)]
    assert [f"the {i}. time of 3" in message for i, message in enumerate(messages, start=1)] == [True] * 3
    assert finite(model)
    (after_first_epoch,) = states
    assert_same(weights_of(model), after_first_epoch)


def test_a_spoilt_last_step_of_an_epoch_is_seen_at_its_end() -> None:
    model = spoilt_model(Spoilt(10_000))

    class SpoilWeights(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 3 and not states:
                states.append(True)
                variable = self.model.trainable_variables[0]
                variable.assign(variable * float("nan"))

    states: list[bool] = []
    with pytest.warns(UserWarning, match="what is not finite after epoch 1, "):
        history = model.fit(X, Y, batch_size=BATCH, epochs=2, verbose=0, callbacks=[SpoilWeights()]).history
    assert finite(model)
    assert np.isnan(history["loss"][0])
    assert np.isfinite(history["loss"][1])


def test_two_replicas_go_back_together() -> None:
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice())
    with strategy.scope():
        model = spoilt_model(Spoilt(5, 5))
    with pytest.warns(UserWarning, match="training goes on from there"):
        fit(model, 3)
    assert finite(model)
