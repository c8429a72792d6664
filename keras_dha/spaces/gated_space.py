"""A user's own Keras model, whose channels can be closed."""

from typing import Any

import keras
import numpy as np

from keras_dha.channels import ChannelGraph, Width, flattened, gate_places, with_gates
from keras_dha.spaces.choice import Choice
from keras_dha.spaces.chooser import Chooser, Tensor
from keras_dha.spaces.model_space import ModelSpace


@keras.saving.register_keras_serializable(package="keras_dha")
class GatedSpace(ModelSpace):
    """A model with a gate for each channel of its convolutions and dense layers; what is closed is taken out for good.

    Gates stand behind the batch normalization of each layer whose width is free, else where its channels are read next.
    Which channels belong together is found from the graph: residual sums, products as in squeeze-excitation, depthwise
    convolutions, concatenations, layers that are called twice, flattening. They share one gate, so that each network of
    the space is one of stock layers, a smaller one. Channels of inputs and of outputs stay, and what looks at all
    channels together, such as layer normalization, keeps those whole that it reads. Models in the model are taken
    apart.

    Each width is a choice, named as the first layer that makes its channels, with an option a channel.

    Args:
        model: A functional or `Sequential` model of one output, built, channels last. If it is compiled, a search takes
            over its optimizer, loss and metrics. Its weights are where training starts.
        min_channels: How many channels each width keeps at least; a positive integer.
        multiple_of: Each width keeps a multiple of so many channels, or all of them; a positive integer. Most hardware
            is as fast with 8 channels as with 5.
        exclude: Whole names of layers, regular expressions for them, or layers, one or several, that keep all their
            channels. A layer of a kind that is not known must be excluded; then what it reads is kept whole, too.

    Raises:
        TypeError, ValueError: As `ModelSpace`; if `min_channels` or `multiple_of` is no positive integer, no width is
            free, or a layer is of an unknown kind, with its name and how to exclude it.

    Reference: the place of the gates is that of DNAL, Guo et al., https://arxiv.org/abs/2103.02126, and its released
    code, but that channels which belong together share a gate here.
    """

    def __init__(self, model: keras.Model, *, min_channels: int = 1, multiple_of: int = 1, exclude: Any = ()) -> None:
        super().__init__(model)
        for name, number in (("min_channels", min_channels), ("multiple_of", multiple_of)):
            if not isinstance(number, (int, np.integer)) or number < 1:
                raise ValueError(f"{name} must be a positive integer. Received: {name}={number}. Give 1.")
        self.min_channels, self.multiple_of = int(min_channels), int(multiple_of)
        graph = ChannelGraph.of(model, exclude)
        self.exclude = graph.exclude
        self._widths = tuple(map(self._choice, graph.widths()))
        if not self._widths:
            raise ValueError(
                "A gated model must have a layer whose number of channels is free. Received: none in "
                f"{model.name!r}, exclude={list(self.exclude)}. Exclude less; those of inputs and outputs stay."
            )

    def choices(self) -> tuple[Choice, ...]:
        """One a width, with an option a channel."""
        return self._widths

    def _choice(self, width: Width) -> Choice:
        options = tuple(str(i) for i in range(len(width.numbers)))
        least = min(self.min_channels, len(options))
        return Choice(width.name, options, keep=len(options), at_least=least, multiple_of=self.multiple_of)

    def build(self, choose: Chooser) -> keras.Model:
        """A functional clone, with the model's weights, and with gates in it. Images are floats there."""
        graph = ChannelGraph(flattened(self.model), self.exclude)
        places = {id(tensor) for tensor in gate_places(graph)}
        of_number = {
            int(number): (i, position)
            for i, width in enumerate(graph.widths())
            for position, number in enumerate(width.numbers)
        }

        def gated(tensor: Tensor, value: Tensor) -> Tensor:
            own = [of_number.get(number) for number in graph.channels(tensor).tolist()]
            used = sorted({place[0] for place in own if place is not None})
            starts = dict(zip(used, np.cumsum([0, *(len(self._widths[i].options) for i in used)])))
            index = np.array([-1 if place is None else starts[place[0]] + place[1] for place in own])
            return choose.widths([self._widths[i] for i in used], index, value)

        return with_gates(graph.model, self.float_inputs(), places, gated)

    def get_config(self) -> dict[str, Any]:
        """The model, without its weights, and the other arguments."""
        own = {"min_channels": self.min_channels, "multiple_of": self.multiple_of, "exclude": list(self.exclude)}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "GatedSpace":
        """A space from what `get_config` returned, of a model with new weights."""
        model = keras.saving.deserialize_keras_object(config["model"])
        return cls(model, **{name: config[name] for name in ("min_channels", "multiple_of", "exclude")})
