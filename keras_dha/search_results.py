"""What a search has found: decisions, policy, hyper-parameters, and the network that they make."""

import contextlib
import os
import warnings
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from keras_dha.costs import MemoryEstimate, TrainingMemory, search_memory
from keras_dha.derivation import FixedChooser, inherit_weights, on_raw_inputs
from keras_dha.exports import export_model
from keras_dha.hyperparameters import DropoutRate
from keras_dha.layers import with_dropout_rates
from keras_dha.search_trainer import SearchTrainer
from keras_dha.spaces import Decisions


class SearchResults(SearchTrainer):
    """What a `SearchModel` tells of its search, before, while and after it runs."""

    raw_dtype: str
    _fixed: Decisions | None

    def memory_estimate(self, batch_size: int) -> MemoryEstimate:
        """The main memory that a `fit` is expected to add to what the process holds, in bytes; `.total` is all of it.

        A guess, of constants that were measured on a CPU, for float32: docs/radars.md says how far off it is.

        Args:
            batch_size: Examples in a batch, of one replica.

        Raises:
            ValueError: If `batch_size` is not positive, or a size of the networks is unknown.
        """
        alive = None
        memory = TrainingMemory(self.space)
        if self._fixed is not None:
            alive = {name: self._fixed[name] for name in memory.choices}
        return search_memory(
            memory,
            batch_size,
            alive=alive,
            paths=self.recipe.paths if alive is None else "all",
            slots=self.recipe.slots(),
            held_out=self.needs_held_out,
            learned=self._learns_from_held_out,
        )

    def decisions(self) -> Decisions:
        """What is kept, as the logits stand, or as fixed."""
        if self.supernet is not None:
            return self.supernet.decisions()
        return Decisions(self._fixed or {})

    def probabilities(self) -> dict[str, dict[str, float]]:
        """For each choice, how probable each option is."""
        return {} if self.supernet is None else self.supernet.probabilities()

    def policy(self) -> dict[str, Any] | None:
        """The augmentation policy as plain data; None if there is none."""
        return None if self.augmentation is None else self.augmentation.policy()

    def hyperparameters(self) -> dict[str, float]:
        """Learned hyper-parameters by name, in their own units."""
        return {part.name: float(ops.convert_to_numpy(part.value())) for part in self.learned}

    def summary(self, *args: Any, **kwargs: Any) -> None:
        """As in Keras; and what the hyper-parameters are, and their bounds."""
        super().summary(*args, **kwargs)
        show = kwargs.get("print_fn") or print
        for part in self.learned:
            low, high = part.bounds
            value = float(ops.convert_to_numpy(part.value()))
            show(f"{part.name}: {value:.4g} (bounds {low:g} and {high:g})")

    def derive(self) -> keras.Model:
        """The kept network with its trained weights: a plain Keras model of the user's own inputs.

        It holds stock Keras layers only (if the space's options do), takes raw inputs (scaling is its first layer),
        gives logits (of a Keras model: what that gives), and is compiled with this model's loss and metrics. After a
        fit it computes what this model does.
        """
        if not self.settled and self.supernet is not None:
            warnings.warn("derive() before the search has settled: weights are those of a mixture.", stacklevel=2)
        with self._own_policy():
            model = self._derived_network()
            if self.space.standardizes:
                model = on_raw_inputs(model, self.scaling and self.scaling.as_rescaling(model.input_shape[-2]))
        if self.compiled:
            optimizer, loss, metrics = self._fresh_compile_arguments()
            model.compile(optimizer, loss=loss, metrics=metrics)
            model.optimizer.build(model.trainable_variables)  # else Keras warns when the saved model is loaded
        return model

    def _derived_network(self) -> keras.Model:
        weights = self.supernet.settled_weights() if self.supernet else {}
        chooser = FixedChooser(self.decisions(), weights)
        network = self.space.build(chooser)
        if self.supernet is None:
            network = self.space.without_closed(network)
            network.set_weights(self.network.get_weights())
        else:
            kept = self.supernet.kept_branches()
            whole = chooser.whole(network)
            inherit_weights(self.network, kept, whole, chooser.branches, self.supernet.acting)
            network = self.space.without_closed(network)
        return with_dropout_rates(network, [part for part in self.learned if isinstance(part, DropoutRate)])

    def export(self, filepath: str | os.PathLike[str], format: str = "tf_saved_model", **kwargs: Any) -> None:
        """Exports the derived model; as SavedModel with the signature `serve` (and `serving_default`) for raw inputs.

        Args:
            filepath: Where to write.
            format: `"tf_saved_model"`, or another format of `keras.Model.export`.
            **kwargs: Further arguments of `keras.Model.export`.
        """
        known: dict[str, Any] = {"input_dtype": self.raw_dtype, "from_logits": self._gives_logits}
        export_model(self.derive(), filepath, format=format, **known, **kwargs)

    @contextlib.contextmanager
    def _own_policy(self) -> Iterator[None]:
        """Layers are made with this model's dtype policy, also where a saved model is loaded under another one."""
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.dtype_policy)
        try:
            yield
        finally:
            keras.config.set_dtype_policy(before)
