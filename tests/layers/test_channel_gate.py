import keras
import numpy as np
import pytest

from keras_dha.channels import ChannelMask, remove_closed
from keras_dha.layers import ChannelGate


def network(steps: int) -> keras.Model:
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(8, 3, use_bias=False)(inputs)
    x = ChannelGate(steps, weight=0.5, name="gate")(keras.layers.BatchNormalization()(x))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    return keras.Model(inputs, keras.layers.Dense(3)(x))


def test_gates_learn_in_a_plain_fit_close_and_are_taken_out(tmp_path) -> None:
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 8, 8, 1)), rng.integers(0, 3, 64)
    model = network(12)
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, batch_size=16, epochs=4, verbose=0)
    gate = model.get_layer("gate")
    is_open = gate.open_channels()
    assert 0 < is_open.sum() < 8  # a strong pull, and at least one stays
    smaller = remove_closed(model)
    assert smaller.count_params() < model.count_params()
    assert not any(isinstance(layer, (ChannelGate, ChannelMask)) for layer in smaller.layers)
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(smaller.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "gated.keras")
    again = keras.models.load_model(tmp_path / "gated.keras")
    np.testing.assert_array_equal(again.get_layer("gate").open_channels(), is_open)
    np.testing.assert_allclose(again.predict(x, verbose=0), expected, rtol=1e-5)


def test_the_scale_grows_in_training_only() -> None:
    gate, x = ChannelGate(2, weight=0.0), np.ones((1, 2), "float32")
    gate(x)
    gate.relaxation.logits.assign([0.01, -0.01])
    assert float(gate.relaxation.present_scale()) == 1.0
    np.testing.assert_allclose(gate(x, training=True)[0, 0], 1 / (1 + np.exp(-0.01)), rtol=1e-5)
    np.testing.assert_allclose(gate(x, training=True)[0, 0], 1 / (1 + np.exp(-1.0)), rtol=1e-4)
    np.testing.assert_array_equal(gate(x), [[1.0, 0.0]])  # for good


def test_the_pull_is_a_loss() -> None:
    gate = ChannelGate(10, weight=0.5)
    gate(np.ones((1, 4), "float32"), training=True)
    assert [float(value) for value in gate.losses] == [0.5 * 4 * 0.5]


@pytest.mark.parametrize(
    "arguments", [{"num_steps": 0}, {"num_steps": 1, "weight": -1}, {"num_steps": 1, "min_channels": 0}]
)
def test_numbers_are_checked(arguments: dict) -> None:
    with pytest.raises(ValueError, match="Received: num_steps="):
        ChannelGate(**arguments)
