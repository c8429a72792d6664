"""Every part of a step compiles under XLA, with shapes that it knows, as a TPU needs it."""

from typing import Any

import numpy as np
import pytest
from tiny_space import TinySpace, images, search_model

from keras_dha.augmentation import Crop, PairPolicy
from keras_dha.hyperparameters import LearningRate, WeightDecay
from keras_dha.penalties import ZeroOne
from keras_dha.relaxations import GumbelSoftmax, OneHotSample, Sigmoid, Softmax, SparseCode

X, Y = images(32)
POLICY = PairPolicy(("Identity", "Brightness", "TranslateXRel"), base=(Crop(),), static_shapes=True)
LEARNED = (LearningRate(0.05), WeightDecay(1e-3))


PLAIN = {"augmentation": None, "hyperparameters": None}
BILEVEL = {"architecture_loss": "held_out", "penalties": (ZeroOne(1.0),)}


def history(parts: dict[str, Any], *, compiled: bool) -> dict[str, list[float]]:
    model = search_model(space=TinySpace(), **parts)
    model.compile(jit_compile=compiled)
    return model.fit(X, Y, batch_size=8, epochs=2, verbose=0).history


@pytest.mark.slow
@pytest.mark.parametrize(
    "parts",
    [
        {"relaxation": SparseCode(), "augmentation": POLICY, "hyperparameters": LEARNED},
        {"relaxation": Softmax(), "augmentation": None, "hyperparameters": LEARNED},
        {"relaxation": OneHotSample(), **PLAIN},
        {"relaxation": GumbelSoftmax(), **PLAIN},
    ],
    ids=["dha", "all_paths", "one_path", "gumbel"],
)
def test_search_and_settling_compile(parts: dict[str, Any]) -> None:
    found = history(parts, compiled=True)
    assert found["phase"] == [0.0, 1.0]
    assert all(np.isfinite(values).all() for values in found.values())


@pytest.mark.slow
def test_and_compute_the_same() -> None:
    parts = {"relaxation": Sigmoid(), **PLAIN, **BILEVEL}
    plain, compiled = (history(parts, compiled=compiled) for compiled in (False, True))
    assert plain.keys() == compiled.keys()
    for name, values in plain.items():
        np.testing.assert_allclose(compiled[name], values, rtol=2e-3, err_msg=name)
