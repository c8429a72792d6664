"""A search model that is a linear layer, and data that a hand can check."""

import keras
import numpy as np
import pytest

from keras_dha.commands import results
from keras_dha.commands import search as search_module
from keras_dha.data.sources import Source
from keras_dha.spaces import Decisions


class TinySearch(keras.Sequential):
    """Has the methods of a SearchModel that the command line calls; searches in its first epoch."""

    augmentation = None
    interrupt_in_epoch = None
    error = None

    def __init__(self):
        super().__init__([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.compile("sgd", loss, metrics=["accuracy"])
        self.trained_epochs = []

    def fit(self, x, y, *, time_budget=None, callbacks=(), **kwargs):
        if self.error is not None:
            raise self.error
        self.time_budget = time_budget

        def begin(epoch, logs=None):
            if epoch == self.interrupt_in_epoch:
                raise KeyboardInterrupt
            self.trained_epochs.append(epoch)

        logger = keras.callbacks.LambdaCallback(
            on_epoch_begin=begin,
            on_epoch_end=lambda epoch, logs: logs.update(phase=float(epoch > 0)),
        )
        return super().fit(x, y, callbacks=[logger, *callbacks], shuffle=False, **kwargs)

    def derive(self):
        derived = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
        derived.set_weights(self.get_weights())
        derived.compile("sgd", self.loss, metrics=["accuracy"])
        return derived

    def decisions(self):
        return Decisions({"edge_1_from_0": "skip_connect"})

    def probabilities(self):
        return {"edge_1_from_0": {"skip_connect": 0.75, "none": 0.25}}

    def policy(self):
        return None

    def hyperparameters(self):
        return {"learning_rate": 0.01}


@pytest.fixture
def source():
    """Dark pictures are of class 0, bright ones of class 1."""
    x = np.repeat(np.array([0.0, 1.0], np.float32), 4).reshape(8, 1, 1, 1) * np.ones((1, 2, 2, 1), np.float32)
    y = np.repeat(np.array([0, 1], np.int32), 4)
    return Source("tiny", x, y, x[::2], y[::2], ("dark", "bright"))


@pytest.fixture
def tiny(monkeypatch, source):
    """Replaces data and model of `search`; returns the list of models made."""
    models = []

    def make(options, data):
        keras.utils.set_random_seed(options.seed)
        models.append(TinySearch())
        return models[-1]

    monkeypatch.setattr(search_module, "load", lambda spec: source)
    monkeypatch.setattr(search_module, "make_model", make)
    # Seconds each; test_export.py writes real ones.
    monkeypatch.setattr(results, "write_saved_model", lambda model, target, dtype: target.mkdir(exist_ok=True))
    return models


@pytest.fixture
def tiny_search():
    return TinySearch
