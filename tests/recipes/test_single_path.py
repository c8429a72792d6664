from pathlib import Path

import keras
import numpy as np
import pytest

from keras_dha import SearchModel
from keras_dha.costs import BlockCost, multiply_adds
from keras_dha.recipes import single_path
from keras_dha.spaces import MobileNetSpace

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 3, 240)
X = (RNG.normal(size=(240, 12, 12, 1)) + 2.0 * Y[:, None, None, None] * np.eye(12)[None, :, :, None]).astype("float32")


def space() -> MobileNetSpace:
    return MobileNetSpace((12, 12, 1), 3, channels=4, widths=(2.0,), repeats=3, kernels=(3, 5), ratios=(0.0,))


def fitted(bound: float = 0.5) -> SearchModel:
    model = SearchModel(space(), single_path(max_multiply_adds=bound), seed=0)
    model.compile()
    model.fit(X, Y, epochs=5, batch_size=24, verbose=0)
    return model


def test_one_fit_meets_the_bound_and_derives_the_network(tmp_path: Path) -> None:
    model = fitted()
    most = BlockCost.measure(space(), multiply_adds).most
    derived = model.derive()
    assert 0.44 * most <= multiply_adds(derived) <= 0.5 * most
    assert all(type(layer).__module__.startswith("keras.") for layer in derived.layers)
    np.testing.assert_allclose(derived.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-4, atol=1e-4)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.decisions() == model.decisions()
    np.testing.assert_allclose(again.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5, atol=1e-5)


def test_thresholds_rest_while_parts_are_left_out_at_random() -> None:
    model = SearchModel(space(), single_path(weight=0.1), seed=0)
    model.compile()

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            found.append(np.concatenate([part.logits.numpy() for part in model.choice_relaxations]))

    found: list[np.ndarray] = []
    model.fit(X, Y, epochs=20, batch_size=24, verbose=0, callbacks=[Watch()])
    np.testing.assert_array_equal(found[0], 0.0)
    assert np.all(found[2] != 0.0)
    np.testing.assert_array_equal(found[3], found[-1])


def test_a_weight_and_a_bound_do_not_go_together() -> None:
    with pytest.raises(ValueError, match=r"Received: weight=0.1, .*'max_parameters': 0.5"):
        single_path(weight=0.1, max_parameters=0.5)
