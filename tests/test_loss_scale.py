"""Gradients of float16 neither vanish nor overflow into what is trained."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_space import TinySpace, images, recipe

from keras_dha import SearchModel, recipes, roles
from keras_dha.augmentation import PairPolicy, RelaxedPolicy
from keras_dha.hypergradients import OneStep
from keras_dha.hyperparameters import L2, LearningRate, WeightDecay
from keras_dha.loss_scale import START, LossScale
from keras_dha.relaxations import Softmax
from keras_dha.schedules import Schedule

X, Y = images()
HELD_OUT = images(32, seed=1)
SEARCH = Schedule(search_fraction=1.0, warmup_fraction=0.0, hyperparameters_every=1)
PAIRS = PairPolicy(("Identity", "Brightness"), direction="held_out")


def half(own: Any = None, *, dtype: str = "mixed_float16", **parts: Any) -> SearchModel:
    quiet = {"augmentation": None, "hyperparameters": (), "schedule": SEARCH, "relaxation": Softmax(), **parts}
    own = recipe(**quiet) if own is None else own.replace(**parts)
    return SearchModel(TinySpace(normalize=False), own, dtype=dtype, seed=0)


def fit(model: SearchModel, x: np.ndarray = X, y: np.ndarray = Y, **arguments: Any) -> None:
    model.fit(x, y, batch_size=32, held_out=HELD_OUT, verbose=0, **arguments)


def moved_by_training(model: SearchModel) -> list[np.ndarray]:
    slots = [v for optimizer in model.all_optimizers() for v in optimizer.variables if "learning_rate" not in v.path]
    return [v.numpy() for v in [*model.trainable_variables, *slots]]


def loss_scale(scale: float, steps: int = 0) -> LossScale:
    variables = [keras.Variable(scale, dtype="float32"), keras.Variable(steps, dtype="int64")]
    return LossScale(*variables)


def test_a_gradient_too_small_for_half_precision_is_found() -> None:
    weight = keras.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        loss = 1e-9 * keras.ops.sum(keras.ops.cast(keras.ops.cast(weight, "float16"), "float32"))
    assert not tape.gradient(loss, [weight])[0].numpy().any()
    np.testing.assert_allclose(loss_scale(START).gradient(tape, loss, [weight])[0], [1e-9, 1e-9], rtol=1e-3)
    assert not np.isfinite(loss_scale(1e15).gradient(tape, loss, [weight])[0]).any()


@pytest.mark.parametrize(
    ("before", "finite", "after"),
    [
        ((8.0, 5), True, (8.0, 6)),
        ((8.0, 5), False, (4.0, 0)),
        ((8.0, 1999), True, (16.0, 0)),
        ((1.0, 5), False, (1.0, 0)),
        ((2.0**24, 1999), True, (2.0**24, 0)),
    ],
)
def test_the_factor_follows(before: tuple[float, int], finite: bool, after: tuple[float, int]) -> None:
    scale = loss_scale(*before)
    scale.follow(keras.ops.convert_to_tensor(finite))
    assert (float(scale.scale.numpy()), int(scale.steps.numpy())) == after


@pytest.mark.parametrize(
    ("own", "parts"),
    [
        (None, {"augmentation": PairPolicy(("Identity", "Brightness"))}),
        (None, {"hyperparameters": (LearningRate(0.05), WeightDecay(1e-3)), "augmentation": PAIRS}),
        (None, {"augmentation": RelaxedPolicy(("Brightness", "Contrast"))}),
        (None, {"augmentation": RelaxedPolicy(("Brightness", "Contrast"), direction="adversarial")}),
        (recipes.darts(), {"schedule": SEARCH}),
        (recipes.dsnas(), {"schedule": Schedule(search_fraction=1.0)}),
    ],
)
def test_a_step_that_overflows_moves_nothing(own: Any, parts: dict[str, Any]) -> None:
    model = half(own, **parts)
    model.compile()
    model.loss_scale.scale.assign(1e30)
    before, factors = moved_by_training(model), []

    def check(epoch: int, logs: Any = None) -> None:
        factors.append(float(model.loss_scale.scale.numpy()))
        if epoch == 0:
            for old, new in zip(before, moved_by_training(model), strict=True):
                np.testing.assert_array_equal(old, new)
            model.loss_scale.scale.assign(START)

    fit(model, X[:32], Y[:32], epochs=4, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=check)])
    assert factors == [np.float32(5e29), *[START] * 3]
    moved = [v for v, old in zip(model.trainable_variables, before) if not np.array_equal(v, old)]
    expected = {role for role, variables in roles.partition(model.trainable_variables).items() if variables}
    assert {role for role, variables in roles.partition(moved).items() if variables} == expected


def test_losses_that_are_scaled_train_as_in_full_precision() -> None:
    """Examples that count for little have gradients that half precision does not know."""
    moves = {}
    for dtype, scaled in (("float32", True), ("mixed_float16", True), ("mixed_float16", False)):
        model = half(dtype=dtype)
        model.compile(
            keras.optimizers.SGD(1e5),
            architecture_optimizer=keras.optimizers.SGD(1e5),
            **({} if scaled else {"auto_scale_loss": False}),
        )
        start = [v.numpy() for v in model.trainable_variables]
        model.fit(X[:32], Y[:32], sample_weight=np.full(32, 1e-6, "float32"), batch_size=32, epochs=1, verbose=0)
        ways = [np.ravel(v.numpy() - old) for v, old in zip(model.trainable_variables, start, strict=True)]
        moves[dtype, scaled] = np.concatenate(ways)
    exact = moves["float32", True]
    error = {key: np.linalg.norm(move - exact) / np.linalg.norm(exact) for key, move in moves.items()}
    assert error["mixed_float16", True] < 0.02
    assert error["mixed_float16", False] > 0.2


def test_replicas_skip_a_step_together() -> None:
    devices = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice())
    with devices.scope():
        model = half(hyperparameters=(LearningRate(0.05), WeightDecay(1e-3)))
        model.compile()
    scaled = float(model.loss_scale.scale.numpy())
    before = moved_by_training(model)
    weights = np.ones(32, "float32")
    weights[16:] = 1e6  # the other replica's: times the factor, more than half precision holds
    model.fit(X[:32], Y[:32], sample_weight=weights, batch_size=32, held_out=HELD_OUT, epochs=1, verbose=0)
    for old, new in zip(before, moved_by_training(model), strict=True):
        np.testing.assert_array_equal(old, new)
    parts = devices.experimental_local_results(model.loss_scale.scale.value)
    assert [float(part.numpy()) for part in parts] == [scaled / 2] * 2
    with devices.scope():
        model.loss_scale.scale.assign(1.0)
    fit(model, epochs=2)
    for variable in model.trainable_variables:
        first, second = (part.numpy() for part in devices.experimental_local_results(variable.value))
        np.testing.assert_array_equal(first, second)
    assert any(not np.array_equal(old, new) for old, new in zip(before, moved_by_training(model), strict=True))


def test_the_factor_is_saved(tmp_path: Any) -> None:
    model = half()
    model.compile()
    model.loss_scale.scale.assign(64.0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert float(again.loss_scale.scale.numpy()) == 64.0
    fit(again, epochs=2)
    assert again.settled
    final = again.derive()
    np.testing.assert_allclose(final.predict(X, verbose=0), again.predict(X, verbose=0), atol=0.02)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_only_float16_is_scaled(dtype: str) -> None:
    model = half(dtype=dtype)
    model.compile(auto_scale_loss=True)
    assert model.loss_scale is None


@pytest.mark.parametrize(
    ("own", "parts", "message"),
    [
        (recipes.darts(order=2), {}, "unrolled"),
        (None, {"hyperparameters": (L2(1e-3),), "hypergradients": (OneStep(),)}, "OneStep"),
    ],
)
def test_second_derivatives_are_refused(own: Any, parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"first derivatives only.*{message}"):
        half(own, **parts).compile()
