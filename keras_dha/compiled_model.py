"""A search model's optimizers, one a role."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha import roles
from keras_dha.data.data_summary import INTEGER, ONE_HOT, OTHER
from keras_dha.hypergradients import HYPERGRADIENTS, Hypergradient
from keras_dha.hyperparameters import Hyperparameter, LearningRate, Momentum, WeightDecay
from keras_dha.loss_scale import START, LossScale
from keras_dha.optimizers import FlatUpdate, MomentumSGD, ScaledSchedule, SelectiveUpdate
from keras_dha.phased_model import PhasedModel, number
from keras_dha.recipes import Recipe
from keras_dha.spaces import SearchSpace
from keras_dha.spaces.number_losses import is_of_numbers
from keras_dha.weight_update import WeightUpdate, has_schedule

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
    estimators: list[Hypergradient]
    augmentation: Any

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.base_learning_rate = self._state("base_learning_rate")
        self.architecture_steps = self._state("architecture_steps")  # until the last epoch's end
        self._updates: dict[str, SelectiveUpdate] = {}
        self._own_loss_scale: LossScale | None = None
        if self.compute_dtype == "float16":
            scale, steps = self._state("loss_scale", start=START), self._state("loss_scale_steps", dtype="int64")
            self._own_loss_scale = LossScale(scale, steps)
        self.loss_scale = self._own_loss_scale

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
            loss: The loss; by default sparse categorical cross-entropy, of a space of numbers the mean squared error.
            metrics: Keras metrics; accuracy by default, of numbers the mean absolute error.
            architecture_optimizer: Optimizer of the architecture.
            augmentation_optimizer: Optimizer of the augmentation policy.
            hyperparameter_optimizer: Optimizer of the hyper-parameters.
            **kwargs: Further arguments of `keras.Model.compile`. `auto_scale_loss=False` leaves losses as they are in
                a model of dtype `mixed_float16`, which scales them by a factor that follows their gradients.

        Raises:
            ValueError: If an optimizer is in use, given twice, averages its weights, or scales losses; or if an
                estimator or recipe takes second derivatives in float16.
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
            loss = known.get("loss", self._default_loss(INTEGER))
        if metrics is None:
            default = ["mean_absolute_error"] if is_of_numbers(loss) else ["accuracy"]
            metrics = keras.tree.map_structure(_copy_of_metric, known.get("metrics", default))
        self._check_optimizers(used)
        self.loss_scale = self._own_loss_scale if kwargs.get("auto_scale_loss", True) else None
        self._compile_arguments = {**used, "loss": loss, "metrics": metrics, **kwargs}
        # Now, for training changes the optimizers' rates, and takes the decay out of them.
        self._compile_serialized = {
            name: keras.saving.serialize_keras_object(value) for name, value in self._compile_arguments.items()
        }
        kwargs["auto_scale_loss"] = False  # by Keras, whose way is one optimizer's; ours is `loss_scale`
        kwargs.setdefault("jit_compile", False)  # "auto" is XLA on a GPU, for which a policy has no static shapes
        super().compile(optimizer=used["optimizer"], loss=loss, metrics=metrics, **kwargs)
        self.architecture_optimizer = used["architecture_optimizer"]
        self.augmentation_optimizer = used["augmentation_optimizer"]
        self.hyperparameter_optimizer = used["hyperparameter_optimizer"]
        self._take_over_rates(start=optimizer is not None)
        self._build_optimizers()

    def _default_loss(self, label_kind: str) -> keras.losses.Loss:
        """The loss that suits labels of this kind, in a space of networks like these."""
        if not self.space.classifies or label_kind == OTHER:
            return keras.losses.MeanSquaredError()
        kinds = keras.losses
        kind = kinds.CategoricalCrossentropy if label_kind == ONE_HOT else kinds.SparseCategoricalCrossentropy
        return kind(from_logits=self.space.from_logits)

    def _compile_for(self, label_kind: str) -> None:
        """Compiles for labels that a first look at the data has seen, if that is still to do."""
        if not self.compiled:
            self.compile(loss=self.space.compile_arguments().get("loss", self._default_loss(label_kind)))

    @property
    def _gives_logits(self) -> bool:
        """Whether outputs are logits, of classes: for those who serve them."""
        loss = self._compile_arguments["loss"] if self.compiled else None
        return self.space.from_logits and self.space.classifies and not is_of_numbers(loss)

    def _check_optimizers(self, optimizers: dict[str, keras.optimizers.Optimizer]) -> None:
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
        if scaled:
            raise ValueError(
                "No optimizer of a search may scale losses, for one loss goes to several of them. Received: "
                f"loss scaling in {scaled}. Give the optimizers alone; SearchModel(dtype='mixed_float16') scales."
            )
        if averaged := [name for name, optimizer in optimizers.items() if optimizer.use_ema]:
            raise ValueError(
                "An optimizer of a search must not average its weights (use_ema), for options come and go. Received: "
                f"use_ema=True in {averaged}. Train the derived model on with such an optimizer."
            )

    def _take_over_rates(self, *, start: bool) -> None:
        """What of the optimizer's own is learned, starts where the optimizer has it.

        Args:
            start: Whether the user gave the optimizer.
        """
        start = start and number(self.steps) == 0
        scheduled = has_schedule(self.optimizer)
        if not scheduled:
            self.base_learning_rate.assign(self.optimizer.learning_rate)
        for part in self.learned:
            if isinstance(part, LearningRate) and not part.where and start:
                _start_at(part, "learning_rate", 1.0 if scheduled else number(self.base_learning_rate), scheduled)
            if isinstance(part, Momentum) and start and isinstance(self.optimizer, MomentumSGD):
                _start_at(part, "momentum", self.optimizer.momentum)
            if isinstance(part, WeightDecay) and not part.where and start and self.optimizer.weight_decay:
                _start_at(part, "weight_decay", self.optimizer.weight_decay)
        if any(isinstance(part, WeightDecay) for part in self.learned):
            self.optimizer.weight_decay = None

    def _fresh_compile_arguments(self) -> tuple[Any, Any, Any]:
        """Optimizer, loss and metrics as they were given, with no state: losses have none."""
        optimizer = self._compile_arguments["optimizer"]
        schedule = getattr(optimizer, "_learning_rate", None)
        schedule = schedule.schedule if isinstance(schedule, ScaledSchedule) else schedule
        own = {type(part).__name__: type(part) for part in (optimizer, schedule)}  # users' own need no registering
        with keras.saving.custom_object_scope(own):
            fresh = keras.saving.deserialize_keras_object(self._compile_serialized["optimizer"])
        metrics = keras.tree.map_structure(_copy_of_metric, self._compile_arguments["metrics"])
        return fresh, self._compile_arguments["loss"], metrics

    def _build_optimizers(self) -> None:
        parts = roles.partition(self.trainable_variables)
        weights = parts[roles.WEIGHT]
        self.weight_update = WeightUpdate(self.optimizer, weights, self.learned, self.base_learning_rate)
        self._updates = {
            role: self._update_of(getattr(self, name), parts[role])
            for name, role in OPTIMIZERS.items()
            if role != roles.WEIGHT
        }
        self._updates[roles.WEIGHT] = self.weight_update.update
        self._assign_estimators()
        branches = self.supernet.branch_variables() if self.supernet else []
        self._gates: dict[int, list[tuple[str, int]]] = {}  # an option's layers may be another one's, too
        for variable, name, position in branches:
            self._gates.setdefault(id(variable), []).append((name, position))

    def _update_of(self, optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]) -> SelectiveUpdate:
        kind = FlatUpdate if FlatUpdate.suits(optimizer, variables) else SelectiveUpdate
        return kind(optimizer, variables)

    def _assign_estimators(self) -> None:
        """Gives each hyper-parameter to the first estimator that sees it."""
        update = self.weight_update
        has_rule = update.rule is not None
        self._seen_by: dict[int, list[Hyperparameter]] = {id(estimator): [] for estimator in self.estimators}
        for part in self.learned:
            estimator = self._estimator_of(part, has_rule=has_rule)
            if estimator is None:
                others = [kind.__name__ for kind in HYPERGRADIENTS if kind().sees(part, has_rule=has_rule)]
                given = [type(estimator).__name__ for estimator in self.estimators]
                raise ValueError(
                    f"An estimator must see each hyper-parameter. Received: hypergradients={given}, which cannot see "
                    f"{type(part).__name__} with {type(self.optimizer).__name__}. "
                    + (f"Add {', or '.join(others)}." if others else "Compile with MomentumSGD, SGD, Adam or RMSprop.")
                )
            self._seen_by[id(estimator)].append(part)
        self._check_precision()
        for estimator in self.estimators:
            if not estimator.built:
                num_slots = 0 if update.rule is None else len(update.rule.slots)
                estimator.prepare(self._seen_by[id(estimator)], update.update.units, num_slots)

    def _check_precision(self) -> None:
        """What differentiates, or compares, gradients has no factor to take out, and no range to do without one."""
        if self.compute_dtype != "float16":
            return
        found = [type(e).__name__ for e in self.estimators if e.replays(self._seen_by[id(e)])]
        if self.recipe.architecture_loss.startswith("unrolled"):
            found.append(f"the recipe {self.recipe.name!r}, architecture_loss={self.recipe.architecture_loss!r}")
        if found:
            raise ValueError(
                "In float16 a search must take first derivatives only. Received: second ones for "
                f"{', '.join(found)}. Take dtype='mixed_bfloat16', hypergradients=WholePath(), or darts(order=1)."
            )

    def _estimator_of(self, part: Hyperparameter, *, has_rule: bool) -> Hypergradient | None:
        return next((estimator for estimator in self.estimators if estimator.sees(part, has_rule=has_rule)), None)

    def all_optimizers(self) -> list[keras.optimizers.Optimizer]:
        """Those of all roles, compiled."""
        return [getattr(self, name) for name in OPTIMIZERS]

    def troubles(self) -> list[str]:
        """What is to be said of the hyper-parameters when the search ends: bounds that are in the way, and the like."""
        found = []
        for part in self.learned:
            if bool(part.at_bound()):
                value = float(ops.convert_to_numpy(part.value()))
                found.append(
                    f"{part.name} sits at its bound {value:g}; beyond it, it might have gone on. "
                    f"Received: bounds={part.bounds}. Widen them."
                )
        return found + [trouble for estimator in self.estimators if (trouble := estimator.trouble())]

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
        """The rate of this step: a schedule's, or the learned or constant one, annealed."""
        return self.weight_update.learning_rate(self._annealing())

    def _annealing(self) -> Tensor:
        return self.recipe.schedule.learning_rate_factor(ops.convert_to_tensor(self.progress))

    @property
    def _is_bilevel(self) -> bool:
        """Whether the architecture, where it is searched, learns from held-out batches."""
        return self.supernet is not None and self.recipe.architecture_loss != "training"

    @property
    def needs_held_out(self) -> bool:
        """Whether the search learns anything from held-out batches."""
        return self._learns_from_held_out or self._is_bilevel or self._policy_is_held_out

    @property
    def _learns_from_held_out(self) -> bool:
        """Whether a hyper-parameter learns from held-out batches."""
        has_rule = not self.compiled or self.weight_update.rule is not None
        found = [self._estimator_of(part, has_rule=has_rule) for part in self.learned]
        return any(estimator is not None and estimator.learns_from == "held_out" for estimator in found)

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


def _copy_of_metric(metric: Any) -> Any:
    if not isinstance(metric, keras.metrics.Metric):
        return metric  # a name, or a function, of which Keras makes a metric for each model
    function = getattr(metric, "_fn", None)
    own = {type(metric).__name__: type(metric), getattr(function, "__name__", ""): function}
    with keras.saving.custom_object_scope(own):
        return type(metric).from_config(metric.get_config())


def _start_at(part: Hyperparameter, name: str, value: float, scheduled: bool = False) -> None:
    low, high = part.bounds
    inside = low < value < high if scheduled else low * (1.0 - 1e-6) <= value <= high * (1.0 + 1e-6)  # of float32
    if not inside:
        kind = type(part).__name__
        what = "A learning rate that multiplies a schedule starts at 1, which" if scheduled else f"The {name} of the "
        what += "" if scheduled else "optimizer, where learning starts,"
        raise ValueError(
            f"{what} must lie within its bounds. Received: {name}={value:g}, bounds={part.bounds}. Give SearchModel "
            f"hyperparameters with {kind}({value:g}, bounds=({value / 10:g}, {value * 10:g})), or without a {kind}."
        )
    part.assign(value)
