"""A Keras model as a space in which nothing is chosen."""

from typing import Any

import keras

from keras_dha.channels import functional, is_model, new_inputs
from keras_dha.spaces.choice import Choice
from keras_dha.spaces.chooser import Chooser
from keras_dha.spaces.number_losses import is_of_numbers
from keras_dha.spaces.search_space import SearchSpace


@keras.saving.register_keras_serializable(package="keras_dha")
class ModelSpace(SearchSpace):
    """One network, a user's own: its augmentation and its hyper-parameters can be searched.

    Networks are clones with the model's weights; the model itself stays as it is. They take the user's images as the
    model does, in their own range, also where they are bytes.

    Args:
        model: A functional or `Sequential` model of one output, built. If it is compiled, a search takes over its
            optimizer, loss and metrics.

    Raises:
        TypeError: If it is of another kind, or has a `call` of its own, which Keras cannot clone.
        ValueError: If it is not built, or has several outputs.
    """

    standardizes = False

    def __init__(self, model: keras.Model) -> None:
        if not is_model(model):
            raise TypeError(
                "The model must be functional or Sequential, without a call of its own, so that Keras can clone it. "
                f"Received: {type(model).__name__}. Write its call as a function of keras.Input."
            )
        if not model.built or len(model.outputs) != 1:
            raise ValueError(
                "The model must be built, and have one output. "
                f"Received: model={model.name!r}, built={model.built}. Give a Sequential model a keras.Input first."
            )
        # Without super().__init__, for which all sizes are known.
        self.model = model
        self.input_shape = tuple(model.inputs[0].shape[1:]) if len(model.inputs) == 1 else ()
        self.num_classes = model.outputs[0].shape[-1] if self._classifies() else 1
        self.classifies = not (model.compiled and is_of_numbers(model.loss))
        self.from_logits = self.classifies and not _gives_probabilities(model)

    def _classifies(self) -> bool:
        """Whether outputs are one a class: their shape says so, and the loss, if there is one."""
        loss = self.model.loss if self.model.compiled else None
        name = getattr(loss, "name", None) or getattr(loss, "__name__", None) or str(loss or "categorical_crossentropy")
        return len(self.model.outputs[0].shape) == 2 and "categorical_crossentropy" in name

    def choices(self) -> tuple[Choice, ...]:
        """None."""
        return ()

    def build(self, choose: Chooser) -> keras.Model:
        """A functional clone, with the model's weights. Images are floats there, for augmented ones are."""
        model = functional(self.model)
        clone = keras.models.clone_model(model, input_tensors=self.float_inputs())
        clone.set_weights(model.get_weights())
        return clone

    def float_inputs(self) -> Any:
        """Symbolic inputs for a clone, in the structure of the model's; of images floats."""
        inputs = functional(self.model).input
        if isinstance(inputs, keras.KerasTensor) and len(inputs.shape) == 4:
            return keras.Input(batch_shape=inputs.shape, name=inputs.name)
        return new_inputs(functional(self.model))

    def compile_arguments(self) -> dict[str, Any]:
        """Optimizer (a new one), loss and metrics of the model, as they were given; empty if it is not compiled."""
        if not self.model.compiled:
            return {}
        optimizer = self.model.optimizer
        own = [type(part) for part in (optimizer, getattr(optimizer, "_learning_rate", None))]
        with keras.saving.custom_object_scope({kind.__name__: kind for kind in own}):  # users' own need no registering
            fresh = type(optimizer).from_config(optimizer.get_config())
        # Keras serializes the other arguments, too, but finds users' own functions again only if they are registered.
        given = {"loss": self.model.loss, "metrics": self.model._compile_config.config["metrics"]}
        return {"optimizer": fresh, **{name: value for name, value in given.items() if value is not None}}

    def get_config(self) -> dict[str, Any]:
        """The model, without its weights."""
        return {"model": keras.saving.serialize_keras_object(self.model)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ModelSpace":
        """A space from what `get_config` returned, of a model with new weights."""
        return cls(keras.saving.deserialize_keras_object(config["model"]))


def _gives_probabilities(model: keras.Model) -> bool:
    last = model.layers[-1]
    if isinstance(last, keras.Model):
        return _gives_probabilities(last)
    activation = getattr(last, "activation", None)
    return isinstance(last, keras.layers.Softmax) or activation in (
        keras.activations.softmax,
        keras.activations.sigmoid,
    )
