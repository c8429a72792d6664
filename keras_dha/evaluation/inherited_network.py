"""Any network of a space with the weights of a supernet, and what it is worth so."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_dha.channels import all_layers
from keras_dha.derivation import FixedChooser, inherit_weights, on_raw_inputs
from keras_dha.evaluation.protocol import accuracy
from keras_dha.search_model import SearchModel
from keras_dha.spaces import Decisions
from keras_dha.write_file import write_json

_BATCHES, _BATCH_SIZE = 8, 128  # that normalizations take their statistics from


def inherited_network(search: SearchModel, decisions: Mapping[str, Any]) -> keras.Model:
    """A network of the space, with the weights that the supernet has for it now: as searches see it.

    Args:
        search: A search model whose supernet has been trained.
        decisions: Which network.

    Returns:
        A Keras model of the user's own inputs, which shares nothing with the search. Moving statistics are those of the
        supernet, of mixtures perhaps; see `recalibrate`.

    Raises:
        ValueError: If the search model has no supernet, or decisions do not fit its space.
    """
    supernet, space = search.supernet, search.space
    if supernet is None:
        raise ValueError(
            "Weights are inherited from a supernet. Received: a search model with fixed decisions. Search first."
        )
    kept = Decisions(decisions).validate(space.choices())
    chooser = FixedChooser(kept)
    network = space.build(chooser)
    branches = supernet.kept_branches(kept)
    inherit_weights(search.network, branches, chooser.whole(network), chooser.branches, supernet.acting)
    network = space.without_closed(network)
    if not space.standardizes:
        return network
    return on_raw_inputs(network, search.scaling and search.scaling.as_rescaling(network.input_shape[-2]))


def recalibrate(model: keras.Model, x: np.ndarray) -> keras.Model:
    """Has normalizations take the mean statistics of some batches, in place of those that they moved to as a mixture.

    Args:
        model: Changed in place.
        x: Training inputs, `(n, ...)`, in no order; the first thousand are used.

    Returns:
        The model.
    """
    layers = [layer for layer in all_layers(model) if isinstance(layer, keras.layers.BatchNormalization)]
    before = [layer.momentum for layer in layers]
    for i in range(min(_BATCHES, -(-len(x) // _BATCH_SIZE))):
        for layer in layers:
            layer.momentum = i / (i + 1.0)  # so that the moving mean is the mean of all batches so far
        model(x[i * _BATCH_SIZE : (i + 1) * _BATCH_SIZE], training=True)
    for layer, momentum in zip(layers, before):
        layer.momentum = momentum
    return model


class SupernetAccuracies(keras.callbacks.Callback):
    """Measures networks with the supernet's weights when the search ends, before anything settles on one of them.

    Args:
        path: A JSON file for the accuracies, by name; what is there already is not measured again.
        networks: Name to decisions.
        x: Training inputs, for `recalibrate`.
        part: Inputs and labels to measure on.
    """

    def __init__(
        self, path: Path, networks: Mapping[str, Mapping[str, Any]], x: np.ndarray, part: Sequence[np.ndarray]
    ) -> None:
        super().__init__()
        self.path, self.networks, self.x, self.part = path, networks, x, part

    def accuracies(self) -> dict[str, float]:
        """What was measured."""
        found: dict[str, float] = json.loads(self.path.read_text(encoding="utf-8"))
        return found

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Measures in the step in which the search has ended."""
        self._measure_once()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Measures if the search lasted to the end."""
        self._measure_once()

    def _measure_once(self) -> None:
        if not self.model.settled or self.path.exists():
            return
        found = {}
        for name, decisions in self.networks.items():
            network = recalibrate(inherited_network(self.model, decisions), self.x)
            found[name] = accuracy(network, self.part)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.path, found)
