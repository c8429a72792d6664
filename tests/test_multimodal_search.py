"""A search over networks of several inputs: every kind of data, what is derived, and what is written."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_space import recipe

from keras_dha import SearchModel, recipes
from keras_dha.data import PairedData
from keras_dha.derivation import FixedChooser
from keras_dha.relaxations import GumbelSoftmax
from keras_dha.spaces import MultimodalSpace

pytestmark = pytest.mark.slow  # one fit, whose supernet has to be traced, and two more
NUMBER = 48
Y = np.arange(NUMBER) % 3


def data() -> dict[str, np.ndarray]:
    """Numbers far from [0, 1]; only both inputs together say the class."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, NUMBER)
    image = rng.normal(500.0, 20.0, (NUMBER, 4, 4)) + 100.0 * first[:, None, None]
    table = np.eye(3)[(Y - first) % 3] - 7.0
    return {"image": image.astype("float32"), "table": table.astype("float32")}


X = data()


def small() -> MultimodalSpace:
    return MultimodalSpace({"image": (4, 4), "table": (3,)}, 3, channels=2, stages=1, units=8)


def batches() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)


class Sequence(keras.utils.PyDataset):
    def __len__(self) -> int:
        return NUMBER // 8

    def __getitem__(self, i: int) -> tuple:
        rows = slice(8 * i, 8 * i + 8)
        return {name: array[rows] for name, array in X.items()}, Y[rows]


@pytest.fixture(scope="module")
def fitted() -> SearchModel:
    model = SearchModel(small(), recipe(relaxation=GumbelSoftmax()), seed=0)
    history = model.fit(X, Y, batch_size=8, epochs=2, validation_data=(X, Y), verbose=0).history
    assert history["phase"] == [0.0, 1.0]
    assert all(np.isfinite(values).all() for values in history.values())
    assert {"held_out_loss", "val_accuracy", "learning_rate"} <= set(history)
    return model


def test_nothing_is_scaled_or_augmented(fitted: SearchModel) -> None:
    assert fitted.scaling is None
    assert fitted.policy() is None


def test_the_derived_model_computes_what_the_search_model_does(fitted: SearchModel) -> None:
    final = fitted.derive()
    assert {type(layer).__module__.split(".")[0] for layer in final.layers} == {"keras"}
    assert list(final.input) == ["image", "table"]
    np.testing.assert_allclose(final.predict(X, verbose=0), fitted.predict(X, verbose=0), atol=1e-5)
    assert set(fitted.space.modalities_of(fitted.decisions())) <= {"image", "table"}


def test_saved_and_loaded(fitted: SearchModel, tmp_path: Path) -> None:
    fitted.save(tmp_path / "search.keras")
    loaded = keras.models.load_model(tmp_path / "search.keras")
    assert loaded.decisions() == fitted.decisions()
    assert loaded.space.get_config() == fitted.space.get_config()
    np.testing.assert_allclose(loaded(X), fitted(X), atol=1e-6)


def test_the_served_model_takes_each_input_by_its_name(fitted: SearchModel, tmp_path: Path) -> None:
    fitted.export(tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served"))
    expected = fitted.derive().predict(X, verbose=0)
    found = served.serve({name: tf.constant(array) for name, array in X.items()})
    np.testing.assert_allclose(found["logits"], expected, atol=1e-5)
    np.testing.assert_allclose(tf.reduce_sum(found["probabilities"], -1), np.ones(NUMBER), atol=1e-5)
    by_name = served.signatures["serve"](**{name: tf.constant(array) for name, array in X.items()})
    np.testing.assert_allclose(by_name["logits"], expected, atol=1e-5)


@pytest.mark.parametrize("source", [batches, lambda: Sequence()], ids=["dataset", "PyDataset"])
def test_datasets_of_dicts(source: Any) -> None:
    modalities = {"modalities": "2/image+table", "fusion_place": "1/late"}
    space = small()
    decisions = {**space.random_decisions(seed=0), **modalities}
    model = SearchModel(space, recipe(), decisions=decisions, seed=0)
    history = model.fit(source(), epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert np.isfinite(history["held_out_loss"]).all()


def test_the_split_keeps_pairs_together() -> None:
    paired = PairedData(X, Y, batch_size=8, held_out=0.25, num_classes=3)
    rows = {part: getattr(paired, f"{part}_indices") for part in ("train", "held_out")}
    assert len(rows["held_out"]) == NUMBER // 4
    assert set(rows["train"]) | set(rows["held_out"]) == set(range(NUMBER))
    known = {array.tobytes(): i for i, array in enumerate(X["image"])}
    for batch in paired.dataset.take(2):
        for part, kept in rows.items():
            x, y = batch[part]
            found = [known[image.tobytes()] for image in x["image"].numpy()]
            assert set(found) <= set(kept)
            np.testing.assert_array_equal(x["table"], X["table"][found])
            np.testing.assert_array_equal(y, Y[found])


def test_bytes_are_taken_as_they_are() -> None:
    x = {"image": X["image"].astype("uint8"), "table": X["table"]}
    space = small()
    model = space.build(FixedChooser(space.random_decisions(seed=1)))
    floats = {**x, "image": x["image"].astype("float32")}
    np.testing.assert_allclose(model(x), model(floats), atol=1e-6)


@pytest.mark.parametrize("name", ["darts", "dha", "dots", "pc_darts"])
def test_recipes_of_several_kinds_of_relaxation_search_it(name: str) -> None:
    x = {"left": X["table"], "right": X["image"][:, 0]}
    space = MultimodalSpace({"left": (3,), "right": (4,)}, 3, stages=1, units=4)
    model = SearchModel(space, getattr(recipes, name)(), seed=0)
    model.compile(run_eagerly=True)
    model.fit(x, Y, batch_size=16, epochs=2, verbose=0)
    model.decisions().validate(space.choices())
    np.testing.assert_allclose(model.derive()(x), model(x), atol=1e-5)
