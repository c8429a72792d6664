"""A search model's optimizers, one a role."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha import roles
from keras_dha.hyperparameters import Hyperparameter, LearningRate, WeightDecay
from keras_dha.optimizers import FlatUpdate, SelectiveUpdate
from keras_dha.phased_model import PhasedModel, number
from keras_dha.recipes import Recipe
from keras_dha.spaces import SearchSpace

Tensor = Any
OPTIMIZERS = {
    "optimizer": roles.WEIGHT,
    "architecture_optimizer": roles.ARCHITECTURE,
    "augmentation_optimizer": roles.AUGMENTATION,
    "hyperparameter_optimizer": roles.HYPERPARAMETER,
}


class CompiledModel(PhasedModel):
    """What `compile` of a `SearchModel` does."""

    space: SearchSpace
    recipe: Recipe
    learned: list[Hyperparameter]
    augmentation: Any

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.base_learning_rate = self._state("base_learning_rate")
        self.architecture_steps = self._state("architecture_steps")  # until the last epoch's end
        self._updates: dict[str, SelectiveUpdate] = {}

    def compile(
        self,
        optimizer: Any = None,
        loss: Any = None,
        metrics: Any = None,
        *,
        architecture_optimizer: Any = None,
        augmentation_optimizer: Any = None,
        hyperparameter_optimizer: Any = None,
        **kwargs: Any,
    ) -> None:
        """As `keras.Model.compile`, with an optimizer a role; those not given come from the space or the recipe.

        Args:
            optimizer: Optimizer of the weights. If its rate is learned, its own rate is where learning starts.
            loss: The loss; sparse categorical cross-entropy by default.
            metrics: Keras metrics; accuracy by default.
            architecture_optimizer: Optimizer of the architecture.
            augmentation_optimizer: Optimizer of the augmentation policy.
            hyperparameter_optimizer: Optimizer of the hyper-parameters.
            **kwargs: Further arguments of `keras.Model.compile`.
        """
        known = self.space.compile_arguments()
        optimizer = known.get("optimizer") if optimizer is None else optimizer
        given = dict(
            zip(OPTIMIZERS, (optimizer, architecture_optimizer, augmentation_optimizer, hyperparameter_optimizer))
        )
        used = {
            name: keras.optimizers.get(getattr(self.recipe, name)() if value is None else value)
            for name, value in given.items()
        }
        if loss is None:
            loss = known.get("loss", keras.losses.SparseCategoricalCrossentropy(from_logits=self.space.from_logits))
        if metrics is None:
            metrics = keras.tree.map_structure(_copy_of_metric, known.get("metrics", ["accuracy"]))
        self._check_optimizers(used, kwargs.get("auto_scale_loss"))
        self._compile_arguments = {**used, "loss": loss, "metrics": metrics, **kwargs}
        # Now, for training changes the optimizers' rates, and takes the decay out of them.
        self._compile_serialized = {
            name: keras.saving.serialize_keras_object(value) for name, value in self._compile_arguments.items()
        }
        kwargs.setdefault("auto_scale_loss", False)  # gradients of several losses go to several optimizers
        kwargs.setdefault("jit_compile", False)  # "auto" is XLA on a GPU, for which a policy has no static shapes
        super().compile(optimizer=used["optimizer"], loss=loss, metrics=metrics, **kwargs)
        self.architecture_optimizer = used["architecture_optimizer"]
        self.augmentation_optimizer = used["augmentation_optimizer"]
        self.hyperparameter_optimizer = used["hyperparameter_optimizer"]
        self._take_over_rates(start=optimizer is not None)
        self._build_optimizers()

    def _check_optimizers(self, optimizers: dict[str, keras.optimizers.Optimizer], auto_scale_loss: Any) -> None:
        used = [name for name, optimizer in optimizers.items() if optimizer.built]
        if used or len({id(optimizer) for optimizer in optimizers.values()}) < len(optimizers):
            raise ValueError(
                "Each role must have a new optimizer of its own. Received: "
                f"{used or sorted(optimizers)} in use already, or the same one twice. Make another one for each."
            )
        scaled = [
            name
            for name, optimizer in optimizers.items()
            if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) or optimizer.loss_scale_factor
        ]
        if scaled or auto_scale_loss:
            raise ValueError(
                "A search must not scale its losses: several of them go to several optimizers. Received: "
                f"auto_scale_loss={auto_scale_loss}, loss scaling in {scaled}. In half precision take 'mixed_bfloat16'."
            )
        if averaged := [name for name, optimizer in optimizers.items() if optimizer.use_ema]:
            raise ValueError(
                "An optimizer of a search must not average its weights (use_ema), for options come and go. Received: "
                f"use_ema=True in {averaged}. Train the derived model on with such an optimizer."
            )
        learns = any(isinstance(part, LearningRate) for part in self.learned)
        if learns and has_schedule(optimizers["optimizer"]):
            raise ValueError(
                "The learning rate must be learned or scheduled, not both. Received: optimizer with a "
                "LearningRateSchedule, and a LearningRate among the hyper-parameters. Give the optimizer a number, or "
                "SearchModel hyperparameters without a LearningRate."
            )

    def _take_over_rates(self, *, start: bool) -> None:
        if not has_schedule(self.optimizer):
            self.base_learning_rate.assign(self.optimizer.learning_rate)
        for part in self.learned:
            if isinstance(part, LearningRate) and start and number(self.steps) == 0:
                _start_at(part, "learning_rate", number(self.base_learning_rate))
            if isinstance(part, WeightDecay) and self.optimizer.weight_decay:
                if start and number(self.steps) == 0:
                    _start_at(part, "weight_decay", self.optimizer.weight_decay)
                self.optimizer.weight_decay = None

    def _fresh_compile_arguments(self) -> tuple[Any, Any, Any]:
        """Optimizer, loss and metrics as they were given, with no state: losses have none."""
        optimizer = self._compile_arguments["optimizer"]
        schedule = getattr(optimizer, "_learning_rate", None)
        own = {type(part).__name__: type(part) for part in (optimizer, schedule)}  # users' own need no registering
        with keras.saving.custom_object_scope(own):
            fresh = keras.saving.deserialize_keras_object(self._compile_serialized["optimizer"])
        metrics = keras.tree.map_structure(_copy_of_metric, self._compile_arguments["metrics"])
        return fresh, self._compile_arguments["loss"], metrics

    def _build_optimizers(self) -> None:
        parts = roles.partition(self.trainable_variables)
        self._updates = {
            role: self._update_of(role, getattr(self, name), parts[role]) for name, role in OPTIMIZERS.items()
        }
        branches = self.supernet.branch_variables() if self.supernet else []
        self._gates: dict[int, list[tuple[str, int]]] = {}  # an option's layers may be another one's, too
        for variable, name, position in branches:
            self._gates.setdefault(id(variable), []).append((name, position))

    def _update_of(
        self, role: str, optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]
    ) -> SelectiveUpdate:
        if not FlatUpdate.suits(optimizer, variables):
            return SelectiveUpdate(optimizer, variables)
        if role != roles.WEIGHT:
            return FlatUpdate(optimizer, variables)
        return FlatUpdate(optimizer, variables, lambda weight: tuple(part.acts_on(weight) for part in self.learned))

    def plain_step(
        self, variables: Sequence[keras.Variable], gradients: Sequence[Tensor], rate: Tensor
    ) -> list[Tensor]:
        """Where a step of SGD brings the weights, with the optimizer's momentum and decay if that is SGD, too."""
        is_sgd = isinstance(self.optimizer, keras.optimizers.SGD)
        momentum = self.optimizer.momentum if is_sgd else 0.0
        decay = (self.optimizer.weight_decay or 0.0) if is_sgd else 0.0
        velocities = self._updates[roles.WEIGHT].by_variable(self.optimizer.momentums) if momentum else {}
        reached = []
        for variable, gradient in zip(variables, gradients, strict=True):
            value = ops.convert_to_tensor(variable)
            step = rate * (gradient + decay * value)
            if momentum:
                step = step - momentum * velocities[id(variable)]
            reached.append(value - step)
        return reached

    def _learning_rate(self) -> Tensor:
        """The rate of this step: the optimizer's own schedule, or the learned or constant one, annealed."""
        if has_schedule(self.optimizer):
            return ops.convert_to_tensor(self.optimizer.learning_rate)
        rate = ops.convert_to_tensor(self.base_learning_rate)
        for part in self.learned:
            if isinstance(part, LearningRate):
                rate = part.value()
        return rate * self.recipe.schedule.learning_rate_factor(ops.convert_to_tensor(self.progress))

    @property
    def _is_bilevel(self) -> bool:
        """Whether the architecture, where it is searched, learns from held-out batches."""
        return self.supernet is not None and self.recipe.architecture_loss != "training"

    @property
    def needs_held_out(self) -> bool:
        """Whether the search learns anything from held-out batches."""
        return bool(self.learned) or self._is_bilevel or self._policy_is_held_out

    @property
    def _policy_is_held_out(self) -> bool:
        """Whether the policy learns from held-out batches."""
        return getattr(self.augmentation, "learns_from", "training") == "held_out"

    @property
    def _policy_learns_through_images(self) -> bool:
        """Whether the policy, where it is searched, has gradients through the images that it makes."""
        return bool(getattr(self.augmentation, "learns_through_images", False)) and not self._settled_in_graph

    @property
    def _holds_out(self) -> bool:
        """Whether steps, as the graphs are, learn from held-out batches."""
        return self.needs_held_out and not self._settled_in_graph

    def get_compile_config(self) -> dict[str, Any]:
        """The arguments of `compile`, serialized."""
        if not self.compiled:
            return {}
        return self._compile_serialized

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles with the arguments that `get_compile_config` returned."""
        self.compile(**{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()})


def has_schedule(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the learning rate follows a schedule of the optimizer's own."""
    return not isinstance(optimizer.learning_rate, keras.Variable)


def _copy_of_metric(metric: Any) -> Any:
    if not isinstance(metric, keras.metrics.Metric):
        return metric  # a name, or a function, of which Keras makes a metric for each model
    function = getattr(metric, "_fn", None)
    own = {type(metric).__name__: type(metric), getattr(function, "__name__", ""): function}
    with keras.saving.custom_object_scope(own):
        return type(metric).from_config(metric.get_config())


def _start_at(part: Hyperparameter, name: str, value: float) -> None:
    low, high = part.bounds
    if not low * (1.0 - 1e-6) <= value <= high * (1.0 + 1e-6):  # the optimizer keeps it in float32
        kind = type(part).__name__
        raise ValueError(
            f"Where the {name} of the optimizer starts to be learned must lie within its bounds. Received: "
            f"{name}={value:g}, bounds={part.bounds}. Give SearchModel hyperparameters with "
            f"{kind}({value:g}, bounds=({value / 10:g}, {value * 10:g})), or without a {kind}."
        )
    part.assign(value)
