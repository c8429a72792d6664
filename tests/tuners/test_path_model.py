from typing import Any

import keras
import numpy as np
import pytest
from tiny_space import LineSpace, TinySpace, images

from keras_dha.derivation import FixedChooser, inherit_weights
from keras_dha.recipes import darts
from keras_dha.spaces import Decisions
from keras_dha.tuners import PathModel, Pruning, SpacePruning
from keras_dha.tuners.path_model import PruneWhileTraining

PATH = Decisions({"edge": "point", "node": "1/conv"})


@pytest.fixture(scope="module")
def model() -> PathModel:
    return PathModel(TinySpace(), darts(), seed=0)


def test_it_computes_the_network_that_it_follows_also_in_training(model: PathModel) -> None:
    model.follow(PATH)
    chooser = FixedChooser(PATH)
    network = TinySpace().build(chooser)
    kept, whole = model.supernet.kept_branches(), chooser.whole(network)
    inherit_weights(model.network, kept, whole, chooser.branches, model.supernet.acting)
    x = np.random.default_rng(0).normal(size=(8, 8, 8, 1)).astype("float32")
    for _ in range(5):  # it would draw
        np.testing.assert_allclose(model.forward(x, training=True)[0], network(x, training=True), rtol=1e-4, atol=1e-5)


def test_only_the_weights_of_the_path_move(model: PathModel) -> None:
    model.follow(PATH)
    mixtures = {mixture.name: mixture for mixture in model.supernet.mixtures}
    before = {v.path: v.numpy() for mixture in mixtures.values() for v in mixture.trainable_variables}
    x, y = images(32)
    model.fit(x, y, batch_size=32, epochs=1, verbose=0)
    moved: set[tuple[str, str]] = set()
    for mixture in mixtures.values():
        for option, branch in zip(mixture.choice.options, mixture.branches):
            if any(not np.array_equal(v.numpy(), before[v.path]) for v in branch.trainable_variables):
                moved.add((mixture.choice.name, option))
    assert moved == {("edge", "point"), ("node", "1/conv")}
    assert 0.0 <= float(model.reward.numpy()) <= 1.0


def test_outputs_that_are_not_finite_are_rewarded_with_nan() -> None:
    model = PathModel(TinySpace(), darts().replace(optimizer=lambda: keras.optimizers.SGD(float("inf"))), seed=0)
    x, y = images(32)
    model.fit(x, y, batch_size=16, epochs=1, verbose=0)
    assert np.isnan(model.reward.numpy())


def test_a_fit_ends_when_enough_is_pruned_also_of_one_hot_labels() -> None:
    model = PathModel(TinySpace(), darts(), seed=0)
    choices = TinySpace().choices()
    rounds = SpacePruning(
        choices, lambda alive: len(alive["edge"]), 2, pruning=Pruning(samples=6, batch=3, min_spread=0.0), seed=0
    )
    seen: list[Any] = []
    x, y = images(64)
    callback = PruneWhileTraining(rounds, 5, seen.append)
    model.fit(x, keras.utils.to_categorical(y, 3), batch_size=16, epochs=50, verbose=0, callbacks=[callback])
    assert rounds.done
    assert int(model.steps.numpy()) == 5 + 6
    assert seen == rounds.history


def test_rewards_need_classes() -> None:
    with pytest.raises(ValueError, match=r"two classes or more. Received: num_classes=1"):
        PathModel(LineSpace((1,), 1), darts())
