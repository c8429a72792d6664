"""What a search says of memory before it is needed, and when it runs out."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_space import TinySpace, images, search_model

from keras_dha import SearchModel
from keras_dha.costs import TrainingMemory
from keras_dha.hyperparameters import LearningRate
from keras_dha.recipes import darts, dsnas, snas
from keras_dha.relaxations import Softmax


def test_the_estimate_is_above_the_least_that_a_training_takes() -> None:
    memory = TrainingMemory(TinySpace())
    for recipe, paths in ((snas(), "all"), (dsnas(), "one")):
        least, told = memory.of(32, paths=paths), SearchModel(TinySpace(), recipe).memory_estimate(32)
        assert told.total > least.total
        assert told.parameters == least.parameters
        assert told.activations > least.activations


def test_a_held_out_batch_and_what_is_learned_take_more() -> None:
    parts = {"relaxation": Softmax(), "augmentation": None}
    plain = search_model(hyperparameters=None, **parts).memory_estimate(32)
    bilevel = search_model(hyperparameters=None, architecture_loss="held_out", **parts).memory_estimate(32)
    learned = search_model(hyperparameters=(LearningRate(0.05),), **parts).memory_estimate(32)
    assert plain.graph < bilevel.graph == learned.graph
    assert plain.activations == bilevel.activations < learned.activations


def test_fixed_decisions_take_their_own_options_only() -> None:
    fixed = search_model(decisions={"edge": "skip", "node": "0/skip"}, relaxation=Softmax())
    whole = search_model(relaxation=Softmax())
    assert fixed.memory_estimate(64).activations < whole.memory_estimate(64).activations
    assert fixed.memory_estimate(64).parameters < whole.memory_estimate(64).parameters


def test_a_batch_must_have_examples() -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        search_model().memory_estimate(0)


def test_slots_are_those_of_the_optimizer() -> None:
    adam = darts().replace(optimizer=keras.optimizers.Adam)
    plain = darts().replace(optimizer=lambda: keras.optimizers.SGD(0.1))
    assert [recipe.slots() for recipe in (plain, darts(), adam)] == [0, 1, 2]


def test_memory_that_runs_out_is_told_with_what_to_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(self: SearchModel, data: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[9999]")

    monkeypatch.setattr(SearchModel, "train_step", step)
    model = search_model(augmentation=None, hyperparameters=(LearningRate(0.05),))
    with pytest.raises(MemoryError, match=r"batch_size=16, and .*OOM when.*Lower batch_size, or the channels"):
        model.fit(*images(32), batch_size=16, verbose=0)
    assert all(np.isfinite(v.numpy()).all() for v in model.trainable_variables)
