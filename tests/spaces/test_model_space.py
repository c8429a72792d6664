import keras
import numpy as np
import pytest
from tiny_space import LineSpace

from keras_dha.derivation import FixedChooser
from keras_dha.spaces import Decisions, ModelSpace

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), "uint8")
CHOOSER = FixedChooser(Decisions({}))


def small_model(last: str | None = None, dtype: str = "float32", outputs: int = 3) -> keras.Model:
    inputs = keras.Input((6, 5, 3), dtype=dtype, name="picture")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(x))
    x = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, keras.layers.Dense(outputs, activation=last)(x), name="small")


def sequential() -> keras.Model:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Softmax()])


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_a_network_is_a_clone_with_the_models_weights(dtype: str) -> None:
    model = small_model(dtype=dtype)
    network = ModelSpace(model).build(CHOOSER)
    assert network is not model
    assert network.input.dtype == "float32"
    np.testing.assert_array_equal(network(IMAGES.astype("float32")), model(IMAGES))
    network.set_weights([0 * weight for weight in network.get_weights()])
    assert np.abs(model(IMAGES)).max() > 0.0


def test_inputs_that_are_no_images_keep_their_type() -> None:
    model = keras.Sequential([keras.Input((7,), dtype="int32"), keras.layers.Embedding(9, 2), keras.layers.Flatten()])
    assert ModelSpace(model).build(CHOOSER).input.dtype == "int32"


def test_nothing_is_chosen() -> None:
    space = ModelSpace(sequential())
    assert space.choices() == ()
    assert space.random_decisions(seed=0) == Decisions({})
    assert space.input_shape == (4,)


@pytest.mark.parametrize(
    ("model", "from_logits"),
    [
        (small_model(), True),
        (small_model("softmax"), False),
        (small_model("sigmoid"), False),
        (small_model("relu"), True),
        (sequential(), False),
        (keras.Sequential([keras.Input((6, 5, 3)), small_model("softmax")]), False),
    ],
)
def test_whether_outputs_are_logits(model: keras.Model, from_logits: bool) -> None:
    assert ModelSpace(model).from_logits is from_logits


def test_outputs_are_classes_unless_shape_or_loss_say_otherwise() -> None:
    model = small_model()
    assert ModelSpace(model).num_classes == 3
    for loss, number in (("sparse_categorical_crossentropy", 3), ("mse", 1)):
        model.compile(loss=loss)
        assert ModelSpace(model).num_classes == number
    segments = keras.Sequential([keras.Input((6, 5, 3)), keras.layers.Conv2D(8, 1)])
    assert ModelSpace(segments).num_classes == 1


def test_compile_arguments_are_those_of_the_model_and_new() -> None:
    model = small_model()
    assert ModelSpace(model).compile_arguments() == {}
    model.compile(keras.optimizers.Adam(0.02), keras.losses.SparseCategoricalCrossentropy(True), metrics=["accuracy"])
    model.fit(IMAGES, np.zeros(4), verbose=0)
    found = ModelSpace(model).compile_arguments()
    assert found["optimizer"] is not model.optimizer
    assert not found["optimizer"].built
    assert float(found["optimizer"].learning_rate) == pytest.approx(0.02)
    assert found["loss"].get_config()["from_logits"]
    assert found["metrics"] == ["accuracy"]


def test_a_config_is_the_same_space_with_new_weights() -> None:
    space = ModelSpace(small_model("softmax"))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(space))
    assert again.get_config() == space.get_config()
    assert again.from_logits is False


def test_models_that_cannot_be_cloned() -> None:
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(TypeError, match=r"functional or Sequential.*Received: Own"):
        ModelSpace(Own())
    with pytest.raises(ValueError, match=r"must be built, and have one output.*built=False"):
        ModelSpace(keras.Sequential([keras.layers.Dense(3)]))
    inputs = keras.Input((3,))
    with pytest.raises(ValueError, match="one output"):
        ModelSpace(keras.Model(inputs, [inputs, inputs]))


def test_other_spaces_standardize_and_give_logits() -> None:
    space = LineSpace((1,), 1)
    assert (space.standardizes, space.from_logits, space.compile_arguments()) == (True, True, {})
