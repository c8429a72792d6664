import json

import keras
import numpy as np
import pytest
from tiny_space import TinySpace, images, search_model

from keras_dha.evaluation import inherited_network, recalibrate
from keras_dha.evaluation.inherited_network import SupernetAccuracies
from keras_dha.spaces import MobileNetSpace

X, Y = images(32)


@pytest.fixture(scope="module")
def searched():
    model = search_model(augmentation=None, hyperparameters=None)
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    return model


def test_with_the_kept_decisions_it_is_the_derived_network(searched):
    inherited = inherited_network(searched, searched.decisions())
    np.testing.assert_allclose(inherited.predict(X, verbose=0), searched.derive().predict(X, verbose=0), atol=1e-6)


def test_every_network_of_the_space_has_the_weights_of_its_branches(searched):
    kept = searched.decisions()
    other = next(option for option in ("conv", "point") if option != kept["edge"][0])
    inherited = inherited_network(searched, {**kept, "edge": other})
    branch = next(
        b for c, o, b in searched.supernet.kept_branches({**kept, "edge": (other,)}) if (c, o) == ("edge", other)
    )
    kernels = [
        v.numpy() for v in inherited.variables if v.path.endswith("kernel") and v.shape == branch.weights[0].shape
    ]
    assert any(np.array_equal(kernel, branch.weights[0]) for kernel in kernels)
    before = [np.copy(value) for value in searched.network.get_weights()]
    recalibrate(inherited, X)
    assert all(np.array_equal(a, b) for a, b in zip(before, searched.network.get_weights()))


def test_sizes_are_parts_of_the_largest():
    space = MobileNetSpace((8, 8, 1), 3, channels=4, repeats=1)
    model = search_model(space=space, augmentation=None, hyperparameters=None)
    for seed in range(3):
        decisions = space.random_decisions(seed=seed)
        assert np.isfinite(inherited_network(model, decisions).predict(X, verbose=0)).all()


def test_recalibration_takes_the_mean_of_batches():
    model = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization(momentum=0.9)])
    x = np.arange(300, dtype="float32")[:, None]  # batches of 128, 128 and 44
    recalibrate(model, x)
    means = [x[:128].mean(), x[128:256].mean(), x[256:].mean()]
    assert model.layers[0].moving_mean.numpy()[0] == pytest.approx(np.mean(means))
    assert model.layers[0].momentum == 0.9


def test_networks_are_measured_once_when_the_search_ends(tmp_path):
    networks = {str(seed): TinySpace().random_decisions(seed=seed) for seed in range(2)}
    model = search_model(augmentation=None, hyperparameters=None)
    callback = SupernetAccuracies(tmp_path / "a" / "supernet.json", networks, X, (X, Y))
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[callback])
    found = callback.accuracies()
    assert sorted(found) == ["0", "1"]
    assert all(0.0 <= value <= 1.0 for value in found.values())
    callback.path.write_text(json.dumps({"0": 0.5}))
    callback.on_train_end()
    assert callback.accuracies() == {"0": 0.5}


def test_fixed_decisions_have_no_supernet():
    decisions = TinySpace().random_decisions(seed=0)
    with pytest.raises(ValueError, match="Received: a search model with fixed decisions"):
        inherited_network(search_model(decisions=decisions), decisions)
