"""A Keras model that searches while it trains."""

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.argument_checks import (
    asked_of_model,
    check_augmentation,
    check_backend,
    check_dropout,
    check_fit_arguments,
    check_held_out,
    check_inputs,
    check_kinds,
    check_targets,
    check_workers,
)
from keras_dha.conductor import Conductor
from keras_dha.data import PairedData
from keras_dha.derivation import FixedChooser
from keras_dha.diagnostics import mean_normalized_entropy
from keras_dha.hypergradients import Hypergradient
from keras_dha.hyperparameters import DropoutRate
from keras_dha.latest import Latest
from keras_dha.layers import ImageScaling, with_fused_normalization, with_learned_dropout
from keras_dha.phased_model import number
from keras_dha.recipes import OF_MODELS, RECIPES, Recipe, dha, tune
from keras_dha.search_results import SearchResults
from keras_dha.spaces import Decisions, ModelSpace, SearchSpace
from keras_dha.supernet import Supernet

FROM_RECIPE = "from_recipe"


@keras.saving.register_keras_serializable(package="keras_dha")
class SearchModel(SearchResults):
    """Trains weights, architecture, augmentation and hyper-parameters of a space in one `fit`.

    A fit has two phases. *Search*: every step moves the augmentation policy, the architecture and the weights on a
    training batch, and now and then the hyper-parameters on a held-out batch. *Settle*: the decisions are fixed, only
    the kept branches run, and the weights go on training, on all training data. `derive()` then hands back the very
    function that the search model computes, as a plain Keras model: no retraining.

    Args:
        space: The space to search; or a Keras model, of which only what is asked for is searched: `augmentation`,
            `hyperparameters`, or those of a `recipe`. See `keras_dha.spaces.ModelSpace`.
        recipe: The method; `keras_dha.recipes.dha()` by default.
        relaxation: Replaces the recipe's relaxation.
        augmentation: Replaces the recipe's policy; None switches augmentation off.
        hyperparameters: Replaces the recipe's list; None or an empty list switches their learning off.
        penalties: Replaces the recipe's penalties; None or an empty list switches them off.
        schedule: Replaces the recipe's schedule.
        hypergradients: Replaces the recipe's estimators, one or several: the first that sees a hyper-parameter gives
            its gradient.
        held_out_pass: Replaces the recipe's, `"training"` or `"inference"`: see `keras_dha.recipes.Recipe`.
        decisions: Fixes the architecture to these decisions; only the other parts are then searched.
        seed: Makes a run repeatable: seeds Python, NumPy, TensorFlow and every part. None: not so. Workers need one.

    Call arguments:
        inputs: What the user's data holds, such as raw images `(batch, height, width, channels)`.

    Output shape:
        That of the space's networks, `(batch, num_classes)`: logits; or numbers, see `SearchSpace.classifies`.

    Raises:
        ValueError: If `decisions` do not fit the space.

    Example:

    ```python
    model = keras_dha.SearchModel(keras_dha.spaces.NASBench201Space((28, 28, 1), num_classes=10))
    model.fit(x_train, y_train, epochs=40)
    final = model.derive()
    ```
    """

    def __init__(
        self,
        space: SearchSpace | keras.Model,
        recipe: Recipe | None = None,
        *,
        relaxation: Any = FROM_RECIPE,
        augmentation: Any = FROM_RECIPE,
        hyperparameters: Any = FROM_RECIPE,
        penalties: Any = FROM_RECIPE,
        schedule: Any = FROM_RECIPE,
        hypergradients: Any = FROM_RECIPE,
        held_out_pass: str = FROM_RECIPE,
        decisions: Mapping[str, Any] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_backend()
        super().__init__(**kwargs)
        if isinstance(space, keras.Model):
            augmentation, hyperparameters = asked_of_model(space, recipe, augmentation, hyperparameters, FROM_RECIPE)
            recipe = tune() if recipe is None and hyperparameters else recipe
            space, decisions = ModelSpace(space), decisions or {}
        check_kinds(space, recipe)
        check_augmentation(space, augmentation, FROM_RECIPE)
        self._fixed = None if decisions is None else Decisions(decisions).validate(space.choices())
        check_workers(self.distribute_strategy, seed)
        if seed is not None:
            keras.utils.set_random_seed(seed)  # after the space was asked, which may have to build a network for it
        self.raw_dtype = "float32"
        self.seed = random.randrange(2**31) if seed is None else int(seed)
        given = {"relaxation": relaxation, "augmentation": augmentation, "schedule": schedule}
        given["held_out_pass"] = held_out_pass
        estimators = (hypergradients,) if isinstance(hypergradients, Hypergradient) else hypergradients
        several = {"hyperparameters": hyperparameters, "penalties": penalties, "hypergradients": estimators}
        for name, value in several.items():
            given[name] = value if isinstance(value, str) and value == FROM_RECIPE else _as_tuple(value)
        chosen = {name: part for name, part in given.items() if not (isinstance(part, str) and part == FROM_RECIPE)}
        self.recipe = (recipe or dha()).replace(**chosen).with_own_parts(self.seed)
        self.space = space
        self.schedule_state = {
            name: self._state(name, start=value) for name, value in self.recipe.schedule.initial_state().items()
        }
        with self._own_policy():
            self._build_networks()
        self.built = True

    def _build_networks(self) -> None:
        if self._fixed is None:
            self.supernet = Supernet(self.space, self.recipe.relaxation, self.recipe.width_relaxation)
            self.network = self.supernet.network
        else:
            plain = self.space.without_closed(self.space.build(FixedChooser(self._fixed)))
            plain = with_fused_normalization(plain)
            self.supernet = None
            self.network = keras.Model(plain.input, (plain.output, {}), name="network")
        inputs = self.network.input
        is_image = isinstance(inputs, keras.KerasTensor) and len(inputs.shape) == 4
        self.scaling = ImageScaling(inputs.shape[-1]) if is_image else None
        self.augmentation = self.recipe.augmentation if is_image else None
        if self.augmentation is not None and not self.augmentation.built:
            self.augmentation.build(inputs.shape)
        self.learned = list(self.recipe.hyperparameters)
        for part in self.learned:
            if not part.built:
                part.build()
        self.estimators = list(self.recipe.hypergradients)
        self._shown = {part.name: Latest(name=part.name) for part in self.learned}
        if rates := [part for part in self.learned if isinstance(part, DropoutRate)]:
            self.network, found = with_learned_dropout(self.network, rates)
            check_dropout(rates, found)
        relaxations = self.supernet.relaxations if self.supernet else {}
        self.penalties = list(self.recipe.penalties) if self.supernet else []
        for penalty in self.penalties:
            penalty.prepare(relaxations, self.space)
        self.choice_relaxations = list(relaxations.values())

    # What the model computes.

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The outputs of the network for the user's inputs."""
        return self.forward(self.scaling(inputs) if self.scaling else inputs, training)[0]

    def end_search_epoch(self) -> bool:
        """Lets each relaxation take stock after an epoch of search; says whether nothing is open any more."""
        steps, before = number(self.architecture_optimizer.iterations), number(self.architecture_steps)
        self.architecture_steps.assign(steps)
        if steps != before:  # what had no step has not come to rest
            for relaxation in self.choice_relaxations:
                relaxation.on_epoch_end()
        return bool(self.choice_relaxations) and all(relaxation.settled for relaxation in self.choice_relaxations)

    def state_of_search(self) -> dict[str, float]:
        """What the progress bar and the history show beside losses and metrics, as plain numbers."""
        state = {"phase": float(self.settled), "learning_rate": float(ops.convert_to_numpy(self._learning_rate()))}
        state |= {name: value for name, value in self.hyperparameters().items() if name != "learning_rate"}
        if self.supernet is not None:
            widths, open_channels = self.supernet.widths, self.supernet.open_channels()
            if operations := {name: p for name, p in self.supernet.probabilities().items() if name not in widths}:
                state["entropy"] = mean_normalized_entropy(operations)
            if open_channels is not None:
                state["open_channels"] = open_channels
        if self.augmentation is not None:
            state["policy_entropy"] = float(ops.convert_to_numpy(self.augmentation.entropy()))
        return state

    # Fitting.

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        *,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        validation_data: Any = None,
        held_out: Any = 0.2,
        time_budget: float | None = None,
        sample_weight: Any = None,
        shuffle: bool = True,
        initial_epoch: int = 0,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Searches and trains, as `keras.Model.fit`.

        Args:
            x: Arrays, a `tf.data.Dataset` of batches, a `PyDataset`, or a dict of arrays.
            y: Labels, where `x` does not bring them.
            batch_size: For arrays; 32 by default.
            epochs: Epochs of search and settling together. In each, as many examples are seen as the data holds.
            verbose: As in Keras.
            callbacks: Keras callbacks.
            validation_data: For reporting only; nothing learns from it.
            held_out: What the hyper-parameters learn from, and the architecture if the recipe says so: a share of the
                training data in `(0, 1)`, or data given apart. A share goes back to the training data when the search
                ends. Not used if nothing learns from it.
            time_budget: Seconds for the whole fit, which still ends settled. None: no bound but `epochs`.
            sample_weight: Weights of the examples, for arrays.
            shuffle: Whether arrays are shuffled.
            initial_epoch: As in Keras.
            **kwargs: Further arguments of `keras.Model.fit`.

        Raises:
            ValueError: If the data or an argument cannot be used; before any training.
            FloatingPointError: If its numbers do not stay finite, again and again.
            MemoryError: If a device's memory runs out.
        """
        started = time.monotonic()
        check_fit_arguments(epochs, time_budget, callbacks, kwargs)
        check_workers(self.distribute_strategy, self.seed, time_budget)
        check_held_out(held_out, needed=self.needs_held_out)
        data = PairedData(
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            held_out=held_out if self.needs_held_out else None,
            validation_data=None if kwargs.get("validation_steps") else validation_data,  # which may have no end
            seed=self.seed,
            shuffle=shuffle,
            num_classes=self.space.num_classes if self.space.classifies else 0,
        )
        check_inputs(data.summary, self.network.input)
        check_targets(data.summary, self.space, self.network.output[0])
        conductor = Conductor(data, epochs, time_budget, started)
        # Outside of its strategy's scope, what callbacks assign would reach the first replica only.
        with self.distribute_strategy.scope(), self._memory_told(data.batch_size):
            self._prepare(data)
            if initial_epoch == 0:
                self.seconds.assign(0.0)  # what an earlier fit took; a callback may still restore an interrupted one
            history = super().fit(
                data.dataset,
                epochs=epochs,
                verbose=verbose,
                callbacks=[conductor, *(callbacks or [])],
                validation_data=validation_data,
                validation_batch_size=kwargs.pop("validation_batch_size", data.batch_size),
                initial_epoch=initial_epoch,
                shuffle=False,  # the data has an order of its own
                **kwargs,
            )
            self.settle()  # a callback may have restored weights from before
        return history

    def _prepare(self, data: PairedData) -> None:
        """Compiles if that is still to do, adapts the scaling, and shows Keras a plain batch.

        Under `tf.distribute` Keras would take the pair of batches for inputs and labels when it builds its losses.
        """
        self._compile_for(data.summary.label_kind)
        if self.scaling is not None and number(self.steps) == 0:
            summary = data.summary
            if self.space.standardizes:
                self.scaling.adapt(*summary.pixel_range, summary.mean or (0.0,), summary.std or (1.0,))
            else:
                self.scaling.keep(*summary.pixel_range)
        self.raw_dtype = data.summary.dtype or "float32"
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(next(iter(data.dataset.take(1)))["train"])
        y_pred = self(x, training=False)
        self.compute_loss(x, y, y_pred, sample_weight)
        self.compute_metrics(x, y, y_pred, sample_weight)
        self.reset_metrics()

    # Saving.

    def get_config(self) -> dict[str, Any]:
        """Space, parts, fixed decisions and seed, as plain data."""
        return {
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "space": keras.saving.serialize_keras_object(self.space),
            "parts": self.recipe.parts(),
            "decisions": None if self._fixed is None else {name: list(kept) for name, kept in self._fixed.items()},
            "seed": self.seed,
            "raw_dtype": self.raw_dtype,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "SearchModel":
        """A model from what `get_config` returned."""
        space = keras.saving.deserialize_keras_object(config["space"], custom_objects=custom_objects)
        recipe = {**RECIPES, **OF_MODELS}.get(config["parts"]["name"], dha)().with_parts(
            config["parts"]
        )  # for its optimizers
        dtype = keras.dtype_policies.deserialize(config["dtype"])
        model = cls(space, recipe, decisions=config["decisions"], seed=config["seed"], name=config["name"], dtype=dtype)
        model.raw_dtype = config["raw_dtype"]
        return model


def _as_tuple(parts: Any) -> Any:
    """A list of parts as a recipe wants it; anything else is left to the recipe to complain about."""
    return tuple(parts or ()) if isinstance(parts, (Sequence, type(None))) else parts
