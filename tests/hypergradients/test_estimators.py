"""All estimators against differences of what a search does, and against closed forms."""

import importlib
import json
import pkgutil
from typing import Any

import keras
import numpy as np
import pytest

import keras_dha.hypergradients as folder
from keras_dha import SearchModel
from keras_dha.hypergradients import (
    HYPERGRADIENTS,
    T1T2,
    ForwardMode,
    Hypergradient,
    HypergradientDescent,
    Neumann,
    OneStep,
    WholePath,
)
from keras_dha.hyperparameters import (
    L2,
    DropoutRate,
    GradientClip,
    LabelSmoothing,
    LearningRate,
    LossWeight,
    Momentum,
    WeightDecay,
)
from keras_dha.optimizers import MomentumSGD
from keras_dha.schedules import Schedule

RNG = np.random.default_rng(0)
X, X_HELD_OUT = (RNG.normal(size=(24, 5)).astype("float32") for _ in range(2))
Y, Y_HELD_OUT = (RNG.integers(0, 3, 24) for _ in range(2))
ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
EACH = pytest.mark.parametrize("cls", HYPERGRADIENTS)


def test_every_estimator_is_listed() -> None:
    for info in pkgutil.iter_modules(folder.__path__):
        importlib.import_module(f"keras_dha.hypergradients.{info.name}")

    def all_below(cls: type) -> set[type]:
        return {cls, *(each for below in cls.__subclasses__() for each in all_below(below))}

    ours = {cls for cls in all_below(Hypergradient) if not cls.__subclasses__()}
    assert ours == set(HYPERGRADIENTS), "Add it to HYPERGRADIENTS in keras_dha/hypergradients/__init__.py."


@EACH
def test_config_survives(cls: type[Hypergradient]) -> None:
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(cls())))
    assert keras.saving.deserialize_keras_object(config).get_config() == cls().get_config()


# One step, or several, of a small network, as a function of a hyper-parameter.


def small_network(*, drops: bool = False) -> keras.Model:
    keras.utils.set_random_seed(2)
    layers = [
        keras.Input((5,)),
        keras.layers.Dense(6, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.02)),
    ]
    return keras.Sequential([*layers, *([keras.layers.Dropout(0.3, seed=1)] if drops else []), keras.layers.Dense(3)])


def search(parts: list[Any], estimators: Any, optimizer: Any, **arguments: Any) -> SearchModel:
    network = small_network(drops=any(isinstance(part, DropoutRate) for part in parts))
    schedule = Schedule(search_fraction=1.0, warmup_fraction=0.0, hyperparameters_every=1, anneal=None)
    model = SearchModel(
        network, hyperparameters=parts, hypergradients=estimators, schedule=schedule, seed=0, **arguments
    )
    model.compile(optimizer, ENTROPY, hyperparameter_optimizer=keras.optimizers.SGD(0.0), run_eagerly=True)
    return model


def batch(number: int) -> dict[str, Any]:
    part = np.random.default_rng(number).choice(24, 12, replace=False)
    return {"train": (X[part], Y[part]), "held_out": (X_HELD_OUT, Y_HELD_OUT)}


def after(part: Any, theta: float, estimators: Any, make: Any, steps: int) -> tuple[float, float]:
    """The held-out loss after some steps with `theta`, and its estimated gradient."""
    model = search([part], estimators, make())
    (own,) = model.learned
    own.max_step = None
    if isinstance(own, LearningRate):
        own.max_move = None  # which would shorten first steps
    own.theta.assign(theta)
    for number in range(steps):
        if number == steps - 1:
            model.hyperparameter_optimizer.learning_rate.assign(1.0)
            model.reset_metrics()
            before = float(own.theta.numpy())
            own.usual.assign(0.0)
        logs = model.train_step(batch(number))
    return float(logs["held_out_loss"]), before - float(own.theta.numpy())


def assert_exact(part: Any, estimators: Any, make: Any, steps: int = 1, h: float = 0.05, rtol: float = 0.02) -> None:
    theta = float(part.theta.numpy())
    _, found = after(part, theta, estimators, make, steps)
    up, down = (after(part, theta + way, estimators, make, steps)[0] for way in (h, -h))
    difference = (up - down) / (2 * h)
    assert abs(difference) > 1e-5, "there is nothing to compare"
    assert found == pytest.approx(difference, rel=rtol, abs=2e-6)


OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.3),
    "momentum": lambda: MomentumSGD(0.3, momentum=0.8),
    "nesterov": lambda: MomentumSGD(0.3, momentum=0.8, nesterov=True),
    "clipped": lambda: MomentumSGD(0.3, momentum=0.8, global_clipnorm=0.5),
    "keras_momentum": lambda: keras.optimizers.SGD(0.3, momentum=0.8, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.05, epsilon=1e-3),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.05, epsilon=1e-3),
}
PROPORTIONAL = {
    "sgd": OPTIMIZERS["sgd"],
    "momentum": OPTIMIZERS["momentum"],
    "adam": OPTIMIZERS["adam"],
    "adamw": lambda: keras.optimizers.AdamW(0.05, weight_decay=0.02, epsilon=1e-3),
    "rmsprop": OPTIMIZERS["rmsprop"],
    "lion": lambda: keras.optimizers.Lion(0.02),
    "muon": lambda: keras.optimizers.Muon(0.02, weight_decay=None, adam_weight_decay=None),
}


@pytest.mark.parametrize("name", PROPORTIONAL)
def test_one_step_of_a_learning_rate(name: str) -> None:
    rate = float(PROPORTIONAL[name]().learning_rate)
    assert_exact(LearningRate(rate), OneStep(), PROPORTIONAL[name])


def test_a_whole_path_of_one_step_is_one_step() -> None:
    assert_exact(LearningRate(0.3), WholePath(), OPTIMIZERS["nesterov"])
    assert_exact(WeightDecay(0.05, bounds=(1e-3, 1.0)), WholePath(), OPTIMIZERS["nesterov"])


@pytest.mark.parametrize("name", [*PROPORTIONAL, "keras_momentum"])
def test_one_step_of_a_decay(name: str) -> None:
    make = {**OPTIMIZERS, **PROPORTIONAL}[name]
    assert_exact(WeightDecay(0.05, bounds=(1e-3, 1.0)), OneStep(), make)


PARTS = {
    "l2": L2(0.05),
    "label_smoothing": LabelSmoothing(0.2),
    "another_loss": LossWeight(0.3, loss=keras.losses.SparseCategoricalCrossentropy()),
    "regularizers": LossWeight(),
    "gradient_clip": GradientClip(0.3),
}


@pytest.mark.parametrize(
    ("part", "name"),
    [*((part, "nesterov") for part in PARTS), *(("l2", n) for n in OPTIMIZERS), ("gradient_clip", "adam")],
)
def test_one_step_of_what_enters_the_gradient(part: str, name: str) -> None:
    assert_exact(PARTS[part], OneStep(), OPTIMIZERS[name], rtol=0.03)


def test_one_step_of_a_momentum() -> None:
    """At the first step there is no velocity yet, but a look ahead."""
    assert_exact(Momentum(0.8), OneStep(), OPTIMIZERS["nesterov"])


@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_forward_mode_of_a_momentum(name: str) -> None:
    assert_exact(Momentum(0.8), ForwardMode(), OPTIMIZERS[name], steps=4)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        *((LearningRate(0.3), name) for name in ("momentum", "keras_momentum")),
        *((WeightDecay(0.05, bounds=(1e-3, 1.0)), name) for name in ("sgd", "nesterov")),
        (L2(0.05), "nesterov"),
    ],
    ids=lambda given: getattr(given, "name", given),
)
def test_forward_mode_is_the_gradient_through_all_steps(part: Any, name: str) -> None:  # F3
    assert_exact(part, ForwardMode(), OPTIMIZERS[name], steps=4)


def test_forward_mode_of_adam() -> None:
    assert_exact(LearningRate(0.05), ForwardMode(), OPTIMIZERS["adam"], steps=4)


def test_one_step_of_a_dropout_rate_has_a_gradient() -> None:
    """What is dropped jumps with the rate: of one draw there is no difference quotient."""
    part = DropoutRate(0.3)
    _, found = after(part, float(part.theta.numpy()), OneStep(), OPTIMIZERS["sgd"], 1)
    assert np.isfinite(found)
    assert found != 0.0


# Closed forms.

FEATURES = RNG.normal(size=(400, 6)).astype("float32") @ np.diag([2.5, 2.0, 1.5, 1.2, 1.1, 1.0]).astype("float32")
TARGETS = FEATURES @ RNG.normal(size=(6, 1)).astype("float32") + RNG.normal(size=(400, 1)).astype("float32")
PENALTY = 0.05


def ridge(estimator: Hypergradient) -> tuple[SearchModel, float]:
    """A ridge regression at rest, and the exact gradient of its held-out loss for the logarithm of the penalty."""
    (x, held_x), (y, held_y) = np.split(FEATURES, 2), np.split(TARGETS, 2)
    hessian = 2 * x.T @ x / 200 + 2 * PENALTY * np.eye(6)
    w = np.linalg.solve(hessian, 2 * x.T @ y / 200)
    slope = 2 * held_x.T @ (held_x @ w - held_y) / 200
    exact = float((-slope.T @ np.linalg.solve(hessian, 2 * w * PENALTY))[0, 0])
    line = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, use_bias=False)])
    line.set_weights([w.astype("float32")])
    schedule = Schedule(search_fraction=1.0, warmup_fraction=0.0, hyperparameters_every=1, anneal=None)
    part = L2(PENALTY, max_step=None)
    model = SearchModel(line, hyperparameters=[part], hypergradients=estimator, schedule=schedule, seed=0)
    still = keras.optimizers.SGD(0.0)
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=[], hyperparameter_optimizer=still, run_eagerly=True)
    for _ in range(12):  # for the power iteration
        model.train_step({"train": (x, y), "held_out": (held_x, held_y)})
    model.hyperparameter_optimizer.learning_rate.assign(1.0)
    model.learned[0].usual.assign(0.0)
    before = float(model.learned[0].theta.numpy())
    model.train_step({"train": (x, y), "held_out": (held_x, held_y)})
    model.found = before - float(model.learned[0].theta.numpy())
    return model, exact


def test_more_terms_come_nearer_to_the_closed_form() -> None:  # F1
    errors = []
    for terms in (0, 5, 25):
        model, exact = ridge(Neumann(terms))
        errors.append(abs(model.found / exact - 1.0))
        assert model.estimators[0].trouble() is None
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01


def test_a_series_that_grows_is_noticed_and_left_out() -> None:  # F2
    x = np.split(FEATURES, 2)[0]
    largest = np.linalg.eigvalsh(2 * x.T @ x / 200 + 2 * PENALTY * np.eye(6)).max()
    model, exact = ridge(Neumann(30, damping=float(2.1 / largest)))
    assert "The Neumann series grew in 13 of 13 steps" in (model.estimators[0].trouble() or "")
    assert 0 < model.found / exact < 10


def test_t1t2_is_the_series_without_terms_but_for_its_factor() -> None:  # F4
    plain, _ = ridge(T1T2())
    none, _ = ridge(Neumann(0, damping=0.25))
    assert none.found == pytest.approx(0.25 * plain.found, rel=1e-4)


def fit(model: SearchModel, epochs: int = 8) -> dict[str, list[float]]:
    return model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, held_out=(X_HELD_OUT, Y_HELD_OUT)).history


def test_hypergradient_descent_raises_a_rate_that_is_too_small() -> None:  # F5
    losses = []
    for rate in (0.05, 0.0):
        model = search([LearningRate(1e-3)], HypergradientDescent(), keras.optimizers.SGD(1e-3))
        model.hyperparameter_optimizer.learning_rate.assign(rate)
        losses.append(fit(model)["loss"][-1])
        assert model.hyperparameters()["learning_rate"] >= 1e-4
        assert not model.needs_held_out
    assert losses[0] < losses[1]
    assert model.hyperparameters()["learning_rate"] == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("part", "estimators", "optimizer", "message"),
    [
        (
            LearningRate(0.1),
            T1T2(),
            keras.optimizers.SGD,
            r"\['T1T2'\], which cannot see LearningRate with SGD\. Add OneS",
        ),
        (Momentum(), Neumann(), MomentumSGD, r"cannot see Momentum with MomentumSGD\. Add OneStep, or ForwardMode\."),
        (L2(), OneStep(), keras.optimizers.Lion, r"cannot see L2 with Lion\. Add T1T2, or Neumann\."),
        (GradientClip(), [OneStep(), T1T2()], keras.optimizers.Lion, r"see GradientClip with Lion\. Compile with Mom"),
    ],
)
def test_what_an_estimator_cannot_see(part: Any, estimators: Any, optimizer: Any, message: str) -> None:  # F6
    with pytest.raises(ValueError, match=message):
        search([part], estimators, optimizer(0.1))


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: Neumann(-1), "terms=-1"),
        (lambda: Neumann(damping=0.0), "damping=0.0"),
        (lambda: Neumann(damping="some"), "damping='some'"),
        (lambda: ForwardMode(memory=0.0), "memory=0.0"),
        (lambda: ForwardMode(max_norm=-1.0), "max_norm=-1.0"),
    ],
)
def test_wrong_arguments(make: Any, received: str) -> None:
    with pytest.raises(ValueError, match=f"Received: .*{received}"):
        make()
