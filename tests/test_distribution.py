"""Two replicas on one machine compute what one does."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_space import TinySpace, images, search_model

from keras_dha import SearchModel, roles
from keras_dha.augmentation import MixUp, PairPolicy, RelaxedPolicy
from keras_dha.hypergradients import OneStep, WholePath
from keras_dha.hyperparameters import LearningRate, WeightDecay
from keras_dha.penalties import ZeroOne
from keras_dha.relaxations import OneHotSample, Sigmoid, Softmax, SparseCode
from keras_dha.schedules import DynamicSchedule, Schedule

X, Y = images()
HELD_OUT = images(32, seed=1)


def strategy() -> tf.distribute.Strategy:
    # Not the default way to add up, which breaks for the whole process once a run in it has failed.
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice())


def one_and_two(**parts: Any) -> list[SearchModel]:
    """The same model on one and on two replicas."""
    alone = search_model(**parts)
    with strategy().scope():
        together = search_model(**parts)
    return [alone, together]


def values(model: SearchModel, role: str) -> list[np.ndarray]:
    return [v.numpy() for v in roles.partition(model.trainable_variables)[role]]


def close(models: list[SearchModel]) -> None:
    for role in roles.ROLES:
        for a, b in zip(*(values(model, role) for model in models), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5, err_msg=role)


@pytest.mark.parametrize("estimator", [OneStep, WholePath])
def test_steps_without_noise_are_the_same(estimator: Any) -> None:
    models = one_and_two(
        space=TinySpace(normalize=False),
        relaxation=Softmax(),
        augmentation=None,
        hyperparameters=(LearningRate(0.05), WeightDecay(1e-3)),
        hypergradients=(estimator(),),
        schedule=Schedule(search_fraction=0.5, warmup_fraction=0.0, hyperparameters_every=1),
    )
    histories = []
    for model in models:
        # SGD, so that a factor in a gradient shows; Adam would hide it.
        optimizers = {f"{name}_optimizer": keras.optimizers.SGD(0.1) for name in ("architecture", "hyperparameter")}
        with model.distribute_strategy.scope():
            model.compile(keras.optimizers.SGD(0.05, momentum=0.9), **optimizers)
        histories.append(model.fit(X, Y, batch_size=32, epochs=2, held_out=HELD_OUT, verbose=0).history)
    assert models[1].distribute_strategy.num_replicas_in_sync == 2
    close(models)
    for name, expected in histories[0].items():
        np.testing.assert_allclose(histories[1][name], expected, rtol=1e-5, err_msg=name)
    assert histories[0]["held_out_loss"][0] > 0.5


def test_the_score_and_the_drawn_branches_are_the_same() -> None:
    """All replicas draw the same branches, since their generators are equal: gradients of one network are summed."""
    models = one_and_two(
        space=TinySpace(normalize=False), relaxation=OneHotSample(), augmentation=None, hyperparameters=None
    )
    for model in models:
        with model.distribute_strategy.scope():
            model.compile(keras.optimizers.SGD(0.05), architecture_optimizer=keras.optimizers.SGD(0.1))
        model.fit(X, Y, batch_size=32, epochs=2, verbose=0)
    close(models)


@pytest.mark.parametrize(("relaxation", "normalize"), [(Softmax, True), (SparseCode, False)])
def test_a_whole_fit(relaxation: Any, normalize: bool) -> None:
    with strategy().scope():
        model = search_model(space=TinySpace(normalize=normalize), relaxation=relaxation(), augmentation=None)
    history = model.fit(X, Y, batch_size=32, epochs=2, verbose=0, validation_data=(X, Y)).history
    assert history["phase"] == [0.0, 1.0]
    assert all(np.isfinite(values).all() for values in history.values())
    assert model.settled
    # Also where the second replica predicts: moving statistics are the mean of both.
    np.testing.assert_allclose(model.derive()(X), model.predict(X, verbose=0), rtol=1e-4, atol=1e-4)


def test_a_policy_that_learns_through_images_moves_as_far() -> None:
    # Without noise in what is chosen, and little in whether it happens: replicas draw apart.
    own = RelaxedPolicy(
        ("Invert", "Identity"),
        num_operations=1,
        choice_temperature=None,
        probability_temperature=20.0,
        direction="adversarial",
        mixing=MixUp(0.5, learned=True),
        seed=0,
    )
    moved = []
    for model in one_and_two(space=TinySpace(normalize=False), augmentation=own, hyperparameters=None):
        with model.distribute_strategy.scope():
            model.compile(keras.optimizers.SGD(0.0), augmentation_optimizer=keras.optimizers.SGD(1.0))
        start = model.augmentation.choice.numpy()
        model.fit(X, Y, batch_size=64, epochs=1, verbose=0)
        moved.append(np.linalg.norm(model.augmentation.choice.numpy() - start))
    assert moved[0] > 1e-4
    assert moved[1] == pytest.approx(moved[0], rel=0.2)


def test_a_policy_that_learns_from_held_out_examples_needs_one_replica() -> None:
    with strategy().scope():
        model = search_model(augmentation=PairPolicy(("Identity", "Invert"), direction="held_out"))
    with pytest.raises(ValueError, match=r"must be searched on one replica\. Received: 2 replicas"):
        model.fit(X, Y, batch_size=32, held_out=HELD_OUT, verbose=0)


def test_the_policy_moves_as_far_and_replicas_draw_apart() -> None:
    policy = PairPolicy(("Identity", "Brightness"), seed=0)
    with strategy().scope():
        model = search_model(space=TinySpace(normalize=False), augmentation=policy, hyperparameters=None)
        model.compile(augmentation_optimizer=keras.optimizers.SGD(1.0))
    draws = model.distribute_strategy.run(lambda: model._augment(tf.convert_to_tensor(X[:16]), None).draws["strength"])
    first, second = (part.numpy() for part in draws.values)
    assert not np.array_equal(first, second)
    model.fit(X, Y, batch_size=64, epochs=1, verbose=0)
    moved = np.abs(model.augmentation.logits.numpy()).sum()
    assert model.policy()["magnitudes"]["current"] == 10.0  # that of the settled phase
    assert 0.0 < moved <= 2 * 1.2 * 0.25  # at most 2 * loss * P for one step on the mean of all examples


@pytest.mark.parametrize("schedule", [Schedule, DynamicSchedule])
def test_steps_of_a_bilevel_search_with_a_penalty_are_the_same(schedule: type[Schedule]) -> None:
    parts = {"architecture_loss": "held_out", "penalties": (ZeroOne(1.0),), "relaxation": Sigmoid()}
    models = one_and_two(
        space=TinySpace(normalize=False),
        augmentation=None,
        hyperparameters=(),
        schedule=schedule(search_fraction=1.0, warmup_fraction=0.0),
        **parts,
    )
    for model in models:
        with model.distribute_strategy.scope():
            model.compile(keras.optimizers.SGD(0.05), architecture_optimizer=keras.optimizers.SGD(0.1))
        model.fit(X, Y, batch_size=32, epochs=2, held_out=HELD_OUT, verbose=0)
    if schedule is Schedule:
        close(models)
    else:  # the trace of a replica's own part of the batch is another number, but all replicas must agree on it
        state = models[1].schedule_state["threshold"].value
        first, second = models[1].distribute_strategy.experimental_local_results(state)
        assert float(first) == float(second) != 1.0
