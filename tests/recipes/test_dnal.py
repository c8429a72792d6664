"""DNAL: three stages, each of which moves its own, on a user's model."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_space import images

from keras_dha import SearchModel, roles
from keras_dha.channels import ChannelMask, flattened
from keras_dha.costs import multiply_adds, parameters
from keras_dha.data import reshuffled
from keras_dha.recipes import dnal
from keras_dha.spaces import GatedProxylessSpace, GatedSpace

X, Y = images()


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(inputs)
    x = keras.layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem")(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    y = keras.layers.Conv2D(16, 3, padding="same", use_bias=False, name="inner")(x)
    y = keras.layers.ReLU()(keras.layers.BatchNormalization()(y))
    y = keras.layers.Conv2D(16, 3, padding="same", use_bias=False)(y)
    x = keras.layers.ReLU()(keras.layers.Add()([x, keras.layers.BatchNormalization()(y)]))
    x = keras.layers.Dropout(0.1)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, keras.layers.Dense(3)(x))


class Watch(keras.callbacks.Callback):
    """What moved in each epoch, by role."""

    def __init__(self) -> None:
        super().__init__()
        self.moved: list[set[str]] = []

    def values(self) -> dict[str, list[np.ndarray]]:
        parts = roles.partition(self.model.trainable_variables)
        return {role: [variable.numpy() for variable in variables] for role, variables in parts.items()}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.before = self.values()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        after = self.values()
        pairs = {role: zip(self.before[role], after[role]) for role in roles.ROLES}
        self.moved.append({role for role, own in pairs.items() if any(not np.array_equal(a, b) for a, b in own)})


def test_each_stage_moves_its_own_and_nothing_else() -> None:
    search, watch = SearchModel(GatedSpace(network()), dnal(weight=0.1), seed=0), Watch()
    history = search.fit(X, Y, batch_size=16, epochs=10, verbose=0, callbacks=[watch]).history
    assert watch.moved == [{roles.WEIGHT}] * 3 + [{roles.ARCHITECTURE}] + [{roles.WEIGHT}] * 6
    assert history["open_channels"][:3] == [1.0] * 3
    assert "entropy" not in history


def test_weights_move_along_where_they_are_not_decoupled() -> None:
    search, watch = SearchModel(GatedSpace(network()), dnal(weight=0.1, decoupled=False), seed=0), Watch()
    search.fit(X, Y, batch_size=16, epochs=10, verbose=0, callbacks=[watch])
    assert watch.moved == [{roles.WEIGHT}] * 3 + [{roles.ARCHITECTURE, roles.WEIGHT}] + [{roles.WEIGHT}] * 6


@pytest.mark.parametrize("bound", [{"max_multiply_adds": 0.5}, {"max_parameters": 2500}])
def test_a_bound_is_met_and_the_derived_model_is_the_one_that_was_trained(bound: Any, tmp_path: Path) -> None:
    model = network()
    most = multiply_adds(model)
    search = SearchModel(GatedSpace(model), dnal(**bound), seed=0)
    search.fit(X, Y, batch_size=16, epochs=10, verbose=0)
    derived = search.derive()
    if "max_parameters" in bound:
        assert 0.94 * 2500 <= parameters(derived) <= 2500
    else:
        assert 0.47 * most <= multiply_adds(derived) <= 0.5 * most
    expected = search.predict(X, verbose=0)
    np.testing.assert_allclose(derived.predict(X, verbose=0), expected, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(layer, ChannelMask) for layer in derived.layers)
    assert multiply_adds(model) == most  # the user's own stays as it is
    search.save(tmp_path / "search.keras")
    again = keras.models.load_model(tmp_path / "search.keras")
    np.testing.assert_allclose(again.predict(X, verbose=0), expected, rtol=1e-5, atol=1e-6)
    assert again.derive().count_params() == derived.count_params()
    search.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(tmp_path / "served").signatures["serve"](tf.constant(X))
    np.testing.assert_allclose(served["logits"], expected, rtol=1e-4, atol=1e-5)


def test_channels_come_in_multiples() -> None:
    model = network()
    search = SearchModel(GatedSpace(model, multiple_of=4), dnal(max_multiply_adds=0.6), seed=0)
    search.fit(X, Y, batch_size=16, epochs=10, verbose=0)
    derived = search.derive()
    assert all(len(kept) % 4 == 0 for kept in search.decisions().values())
    assert [derived.get_layer(name).filters % 4 for name in ("stem", "inner")] == [0, 0]
    assert multiply_adds(derived) <= 0.6 * multiply_adds(model)
    np.testing.assert_allclose(derived.predict(X, verbose=0), search.predict(X, verbose=0), rtol=1e-4, atol=1e-5)


def test_decisions_give_the_small_network_at_once() -> None:
    space = GatedSpace(network())
    decisions = {"stem": ["0", "3"], "inner": ["1"]}
    search = SearchModel(space, dnal(), decisions=decisions, seed=0)
    assert search.network.count_params() == parameters(search.derive()) == 18 + 8 + 18 + 4 + 18 + 8 + 9
    search.fit(X, Y, batch_size=16, epochs=1, verbose=0)
    np.testing.assert_allclose(
        search.derive().predict(X, verbose=0), search.predict(X, verbose=0), rtol=1e-4, atol=1e-5
    )


def test_gates_choose_what_is_useful() -> None:
    """dnal.md, property 3: frozen weights, of which the last four are noise, in a linear regression."""
    rng = np.random.default_rng(0)
    useful = np.array([1.0, 0.8, 0.6, 0.4, 0.0, 0.0, 0.0, 0.0])
    weights = useful + np.array([0.0, 0.0, 0.0, 0.0, 0.3, -0.3, 0.2, -0.2])
    x = rng.normal(size=(2000, 8)).astype("float32")
    y = (x @ useful + 0.1 * rng.normal(size=2000)).astype("float32")
    inputs = keras.Input((8,))
    spread = keras.layers.Dense(8, use_bias=False, name="spread")
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False, name="sum")(spread(inputs)))
    spread.set_weights([np.eye(8)])
    model.get_layer("sum").set_weights([weights[:, None]])
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=["mse"])
    recipe = dnal(weight=1e-2)
    stages = {"search_fraction": 1.0, "warmup_fraction": 0.0, "weights_rest": True}
    recipe = recipe.replace(schedule=type(recipe.schedule)(**stages), width_relaxation=type(recipe.width_relaxation)())
    search = SearchModel(GatedSpace(model), recipe, seed=0)
    search.fit(x, y[:, None], batch_size=64, epochs=10, verbose=0)
    assert search.decisions()["spread"] == ("0", "1", "2", "3")


def test_on_two_replicas_all_have_the_same_gates() -> None:
    strategy = tf.distribute.MirroredStrategy(tf.config.list_logical_devices("CPU")[:2])
    with strategy.scope():
        search = SearchModel(GatedSpace(network()), dnal(max_multiply_adds=0.5), seed=0)
    search.fit(X, Y, batch_size=32, epochs=10, verbose=0)
    for part in search.choice_relaxations:
        copies = [copy.numpy() for copy in strategy.experimental_local_results(part.logits.value)]
        for other in copies[1:]:
            np.testing.assert_array_equal(copies[0], other)


def test_gates_are_searched_with_all_that_dha_searches() -> None:
    search = SearchModel(GatedSpace(network()), dnal(max_multiply_adds=0.6, joint=True), seed=0)
    history = search.fit(X, Y, batch_size=16, epochs=10, verbose=0).history
    assert search.policy() is not None
    assert set(search.hyperparameters()) == {"learning_rate", "weight_decay"}
    assert 0.0 < history["open_channels"][3] < 1.0
    derived = search.derive()
    assert multiply_adds(derived) <= 0.6 * multiply_adds(network())
    np.testing.assert_allclose(derived.predict(X, verbose=0), search.predict(X, verbose=0), rtol=1e-4, atol=1e-5)


def test_branches_whose_gate_is_closed_are_left_out() -> None:
    space = GatedProxylessSpace((8, 8, 1), 3, channels=4, widths=(1.0, 2.0), repeats=1, kernels=(3, 5), expansions=(2,))
    search = SearchModel(space, dnal(weight=3.0), seed=0)
    search.fit(X, Y, batch_size=16, epochs=10, verbose=0)
    decisions, derived = search.decisions(), search.derive()
    branches = sum(len(decisions[name]) for name in ("layer_0", "layer_1"))
    assert sum(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in flattened(derived).layers) == branches < 4
    np.testing.assert_allclose(derived.predict(X, verbose=0), search.predict(X, verbose=0), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"one gate a channel only\. Received: .*'layer_0'"):
        SearchModel(space, dnal(max_parameters=0.5))


def _digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """1,197 images to train on, 600 to test on."""
    x, y = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8, 1).astype("float32")
    test, train = np.split(np.random.default_rng(0).permutation(len(x)), [600])
    return (x[train], y[train]), (x[test], y[test])


def _digit_network() -> keras.Model:
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Rescaling(1 / 8, -1.0)(inputs)
    for width, strides in ((16, 1), (16, 2), (32, 1)):
        x = keras.layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(x)))


@pytest.mark.slow
def test_a_third_of_the_channels_costs_little_and_those_that_stay_beat_random_ones() -> None:
    """dnal.md, property 7, of bounds in place of weights; means over three seeds, on images not trained on."""
    (x, y), (x_test, y_test) = _digits()

    def trained(model: keras.Model, epochs: int, seed: int) -> keras.Model:
        model.compile(
            keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-4),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        rows = reshuffled(x, y, batch_size=64, seed=seed)  # as a search is shuffled
        model.fit(rows, epochs=epochs, shuffle=False, verbose=0)
        return model

    def score(model: keras.Model) -> float:
        return float((model.predict(x_test, verbose=0).argmax(-1) == y_test).mean())

    found: dict[str, list[float]] = {name: [] for name in ("whole", "half", "kept", "eighth", "random")}
    for seed in range(3):
        keras.utils.set_random_seed(seed)
        model = _digit_network()
        searches = {}
        for name, bound in (("half", 0.5), ("eighth", 0.12)):
            searches[name] = SearchModel(GatedSpace(model), dnal(max_multiply_adds=bound), seed=seed)
            searches[name].fit(x, y, batch_size=64, epochs=20, verbose=0)
            found[name].append(score(searches[name].derive()))
        options = {choice.name: choice.options for choice in GatedSpace(model).choices()}
        kept = {name: searches["half"].decisions()[name] for name in options}
        found["kept"].append(sum(map(len, kept.values())) / sum(map(len, options.values())))
        trained(model, 6, seed)  # as the first stage, before masks of equal sizes are drawn
        rng = np.random.default_rng(seed)
        numbers = {name: len(searches["eighth"].decisions()[name]) for name in options}
        drawn = {name: sorted(rng.permutation(len(own))[: numbers[name]]) for name, own in options.items()}
        masked = {name: [options[name][i] for i in order] for name, order in drawn.items()}
        search = SearchModel(GatedSpace(model), dnal(), decisions=masked, seed=seed)
        search.fit(x, y, batch_size=64, epochs=12, verbose=0)
        found["random"].append(score(search.derive()))
        found["whole"].append(score(trained(model, 14, seed)))
    mean = {name: float(np.mean(values)) for name, values in found.items()}
    assert mean["kept"] <= 0.7, found
    assert mean["half"] >= mean["whole"] - 0.02, found
    assert mean["eighth"] >= mean["random"], found
