"""The functions take the steps that the optimizers take."""

from typing import Any

import keras
import numpy as np
import pytest

from keras_dha.optimizers import MomentumSGD, Settings, rule_of, slots_of

MAKE = {
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "momentum_sgd": lambda: MomentumSGD(0.1, momentum=0.9),
    "momentum_sgd_nesterov": lambda: MomentumSGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.1),
    "adamw": lambda: keras.optimizers.AdamW(0.1, weight_decay=0.0),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.1),
}


@pytest.mark.parametrize("name", MAKE)
def test_a_rule_is_the_step(name: str) -> None:
    optimizer, rng = MAKE[name](), np.random.default_rng(0)
    weights = [keras.Variable(rng.normal(size=4).astype("float32")) for _ in range(2)]
    optimizer.build(weights)
    rule = rule_of(optimizer)
    assert rule is not None
    for step in range(1, 5):
        gradients = [rng.normal(size=4).astype("float32") for _ in weights]
        settings = Settings(0.1, getattr(optimizer, "momentum", 0.0), float(step))
        expected = [
            rule.apply(optimizer, weight.numpy(), own, gradient, settings)
            for weight, own, gradient in zip(weights, slots_of(optimizer, rule), gradients, strict=True)
        ]
        optimizer.apply(gradients, weights)
        for weight, own, (value, slots) in zip(weights, slots_of(optimizer, rule), expected, strict=True):
            np.testing.assert_allclose(weight.numpy(), value, rtol=1e-4, atol=1e-6)
            for one, other in zip(own, slots, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


class OwnSGD(keras.optimizers.SGD):
    """Whose step nobody knows."""


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.Lion(),
        keras.optimizers.Muon(),
        keras.optimizers.Adam(amsgrad=True),
        keras.optimizers.RMSprop(momentum=0.9),
        keras.optimizers.RMSprop(centered=True),
        OwnSGD(),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_no_rule_is_guessed(optimizer: Any) -> None:
    assert rule_of(optimizer) is None
