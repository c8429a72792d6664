"""The one training step of a search, and its optimizers."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_dha import roles
from keras_dha.hyperparameters import Hyperparameter, LearningRate, WeightDecay
from keras_dha.layers import ImageScaling
from keras_dha.optimizers import SelectiveUpdate
from keras_dha.phased_model import PhasedModel, number
from keras_dha.recipes import Recipe
from keras_dha.relaxations import Relaxation

Tensor = Any
OPTIMIZERS = {
    "optimizer": roles.WEIGHT,
    "architecture_optimizer": roles.ARCHITECTURE,
    "augmentation_optimizer": roles.AUGMENTATION,
    "hyperparameter_optimizer": roles.HYPERPARAMETER,
}


class SearchTrainer(PhasedModel):
    """What `compile` and `train_step` of a `SearchModel` do.

    `train_step` knows roles and the contracts of the parts (docs/architecture.md); it asks for nobody's class but the
    two hyper-parameters that act on the optimizer's step.
    """

    recipe: Recipe
    network: keras.Model
    scaling: ImageScaling | None
    learned: list[Hyperparameter]
    choice_relaxations: list[Relaxation]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.baseline = self._state("baseline")
        self.base_learning_rate = self._state("base_learning_rate")
        self._held_out_loss = keras.metrics.Mean(name="held_out_loss")
        self._updates: dict[str, SelectiveUpdate] = {}

    def forward(self, inputs: Any, training: bool | None) -> tuple[Any, dict[str, Tensor]]:
        """Outputs of the network for scaled inputs, and the weights of options that they were computed with."""
        if tf.executing_eagerly():
            self.synchronize()
        return self.network(inputs, training=training)

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
        """As `keras.Model.compile`, with an optimizer a role; those not given come from the recipe.

        Args:
            optimizer: Optimizer of the weights. If its rate is learned, its own rate is where learning starts.
            loss: The loss; sparse categorical cross-entropy from logits by default.
            metrics: Keras metrics; accuracy by default.
            architecture_optimizer: Optimizer of the architecture.
            augmentation_optimizer: Optimizer of the augmentation policy.
            hyperparameter_optimizer: Optimizer of the hyper-parameters.
            **kwargs: Further arguments of `keras.Model.compile`.
        """
        given = dict(
            zip(OPTIMIZERS, (optimizer, architecture_optimizer, augmentation_optimizer, hyperparameter_optimizer))
        )
        used = {
            name: keras.optimizers.get(getattr(self.recipe, name)() if value is None else value)
            for name, value in given.items()
        }
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if loss is None else loss
        metrics = ["accuracy"] if metrics is None else metrics
        self._check_optimizers(used)
        self._compile_arguments = {**used, "loss": loss, "metrics": metrics, **kwargs}
        # Now, for training changes the optimizers' rates, and takes the decay out of them.
        self._compile_serialized = {
            name: keras.saving.serialize_keras_object(value) for name, value in self._compile_arguments.items()
        }
        kwargs.setdefault("auto_scale_loss", False)  # gradients of several losses go to several optimizers
        super().compile(optimizer=used["optimizer"], loss=loss, metrics=metrics, **kwargs)
        self.architecture_optimizer = used["architecture_optimizer"]
        self.augmentation_optimizer = used["augmentation_optimizer"]
        self.hyperparameter_optimizer = used["hyperparameter_optimizer"]
        self._take_over_rates(start=optimizer is not None)
        self._build_optimizers()

    def _check_optimizers(self, optimizers: dict[str, keras.optimizers.Optimizer]) -> None:
        used = [name for name, optimizer in optimizers.items() if optimizer.built]
        if used or len({id(optimizer) for optimizer in optimizers.values()}) < len(optimizers):
            raise ValueError(
                "Each role must have a new optimizer of its own. Received: "
                f"{used or sorted(optimizers)} in use already, or the same one twice. Make another one for each."
            )
        learns = any(isinstance(part, LearningRate) for part in self.learned)
        if learns and _has_schedule(optimizers["optimizer"]):
            raise ValueError(
                "The learning rate must be learned or scheduled, not both. Received: optimizer with a "
                "LearningRateSchedule, and a LearningRate among the hyper-parameters. Give the optimizer a number, or "
                "SearchModel hyperparameters without a LearningRate."
            )

    def _take_over_rates(self, *, start: bool) -> None:
        if not _has_schedule(self.optimizer):
            self.base_learning_rate.assign(self.optimizer.learning_rate)
        for part in self.learned:
            if isinstance(part, LearningRate) and start and number(self.steps) == 0:
                part.assign(number(self.base_learning_rate))
            if isinstance(part, WeightDecay) and self.optimizer.weight_decay:
                if number(self.steps) == 0:
                    part.assign(self.optimizer.weight_decay)
                self.optimizer.weight_decay = None

    def _build_optimizers(self) -> None:
        parts = roles.partition(self.trainable_variables)
        self._updates = {role: SelectiveUpdate(getattr(self, name), parts[role]) for name, role in OPTIMIZERS.items()}
        branches = self.supernet.branch_variables() if self.supernet else []
        self._gates = {id(variable): (name, position) for variable, name, position in branches}

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Augmentation, architecture and weights on the training batch; then hyper-parameters on the held-out one."""
        paired = isinstance(data, dict) and "train" in data
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data["train"] if paired else data)
        held_out = data.get("held_out") if paired else None
        inputs, draws = self._augmented(x)
        parts = roles.partition(self.trainable_variables)
        trained = parts[roles.WEIGHT] + ([] if self._settled_in_graph else parts[roles.ARCHITECTURE])
        differentiate = self._differentiator(trained)
        gradients, loss, y_pred, choice_weights = differentiate(inputs, y, sample_weight)
        self._follow(loss)
        if draws is not None:
            self._update_augmentation(draws, y, y_pred, parts[roles.AUGMENTATION])
        count = len(parts[roles.WEIGHT])
        if not self._settled_in_graph:
            self._update_architecture(gradients[count:], parts[roles.ARCHITECTURE])
        before = self._update_weights(gradients[:count], parts[roles.WEIGHT], choice_weights, held_out)
        if before:
            self._update_hyperparameters(held_out, differentiate, parts[roles.WEIGHT], before)
        self.steps.assign_add(1)
        return self._log(x, y, y_pred, sample_weight, loss)

    def _augmented(self, x: Any) -> tuple[Any, Any]:
        if self.scaling is None:
            return x, None
        images, draws = self.scaling.unit(x), None
        if self.augmentation is not None:
            # Pixels that the training part did not have, such as held-out ones, may lie outside of its range.
            images = ops.clip(images, 0.0, 1.0)
            images, draws = self.augmentation.augment(images, training=True, **self._replica())
        return self.scaling.standardize(images), draws

    def _replica(self) -> dict[str, Any]:
        """Tells replicas apart, whose random generators are equal."""
        if self.distribute_strategy.num_replicas_in_sync == 1:
            return {}
        return {"replica": tf.distribute.get_replica_context().replica_id_in_sync_group}

    def _differentiator(self, variables: Sequence[keras.Variable]) -> Any:
        """From scaled inputs, labels and sample weights to gradients, loss, outputs and weights of options.

        While both the training and the held-out batch go through it, it is a graph of its own, which is traced and
        optimized once. Not so eagerly, where each step would trace it anew, nor on several replicas, which can agree on
        moving statistics in the outermost graph only.
        """

        def differentiate(inputs: Any, y: Any, sample_weight: Any) -> tuple[Any, ...]:
            with tf.GradientTape() as tape:
                y_pred, choice_weights = self.forward(inputs, training=True)
                loss = self.compute_loss(inputs, y, y_pred, sample_weight, training=True)
                objective = loss + self._score(loss, choice_weights)
            return tape.gradient(objective, variables), loss, y_pred, choice_weights

        alone = self.distribute_strategy.num_replicas_in_sync == 1
        if not self._holds_out or self.run_eagerly or not alone:
            return differentiate
        return tf.function(differentiate, autograph=False, experimental_attributes={"_noinline": True})

    def _score(self, loss: Tensor, choice_weights: dict[str, Tensor]) -> Tensor:
        """`sg(loss - baseline) * log p`: its gradient is the score-function estimate of the drawn choices."""
        if self._settled_in_graph or self.supernet is None:
            return 0.0
        advantage = ops.where(self.steps > 0, ops.stop_gradient(loss) - self.baseline, 0.0)
        relaxations = self.supernet.relaxations
        return advantage * sum(
            relaxations[name].log_probability(relaxations[name].logits, weights)
            for name, weights in choice_weights.items()
        )

    def _follow(self, loss: Tensor) -> None:
        """Moves the baseline: the mean of the losses so far, later a moving one."""
        seen = ops.cast(self.steps, "float32")
        memory = ops.minimum(0.95, seen / (seen + 1.0))
        self.baseline.assign(memory * self.baseline + (1.0 - memory) * loss)

    def _update_augmentation(self, draws: Any, y: Any, y_pred: Any, variables: Sequence[keras.Variable]) -> None:
        if self.augmentation is None:
            return
        losses = ops.stop_gradient(self._per_example_loss(y, y_pred))
        with tf.GradientTape() as tape:
            # The optimizer sums gradients over replicas; each has the mean of its own part of the batch.
            loss = self.augmentation.loss(draws, losses) / self.distribute_strategy.num_replicas_in_sync
        self._updates[roles.AUGMENTATION].apply(tape.gradient(loss, variables), variables, [True] * len(variables))

    def _per_example_loss(self, y: Any, y_pred: Any) -> Tensor:
        loss = keras.losses.get(self._compile_arguments["loss"])
        values = loss.call(y, y_pred) if isinstance(loss, keras.losses.Loss) else loss(y, y_pred)
        return ops.mean(ops.reshape(values, (ops.shape(values)[0], -1)), axis=-1)

    def _update_architecture(self, gradients: Sequence[Tensor], variables: Sequence[keras.Variable]) -> None:
        moves = self.recipe.schedule.architecture_moves(ops.convert_to_tensor(self.progress))
        active = [ops.logical_and(moves, ops.logical_not(part.frozen)) for part in self.choice_relaxations]
        by_variable = {id(part.logits): gate for part, gate in zip(self.choice_relaxations, active)}
        self._updates[roles.ARCHITECTURE].apply(gradients, variables, [by_variable[id(v)] for v in variables])
        for part in self.choice_relaxations:
            part.step()

    def _update_weights(
        self, gradients: Sequence[Tensor], variables: Sequence[keras.Variable], choice_weights: Any, held_out: Any
    ) -> list[Tensor]:
        """One step of the weights; returns what they were, if hyper-parameters will want to know."""
        learning_rate = self._learning_rate()
        if not _has_schedule(self.optimizer):
            self.optimizer.learning_rate.assign(learning_rate)
        learns = held_out is not None and self._holds_out
        before = [ops.copy(variable) for variable in variables] if learns else []
        known = [(g, v) for g, v in zip(gradients, variables) if g is not None]
        gradients, variables = [g for g, _ in known], [v for _, v in known]
        active = self._active(variables, choice_weights)
        for part in self.learned:
            if isinstance(part, WeightDecay):
                gradients = part.apply(variables, gradients, learning_rate, active)
        self._updates[roles.WEIGHT].apply(gradients, variables, active)
        return before

    def _learning_rate(self) -> Tensor:
        """The rate of this step: the optimizer's own schedule, or the learned or constant one, annealed."""
        if _has_schedule(self.optimizer):
            return ops.convert_to_tensor(self.optimizer.learning_rate)
        rate = ops.convert_to_tensor(self.base_learning_rate)
        for part in self.learned:
            if isinstance(part, LearningRate):
                rate = part.value()
        return rate * self.recipe.schedule.learning_rate_factor(ops.convert_to_tensor(self.progress))

    def _active(self, variables: Sequence[keras.Variable], choice_weights: dict[str, Tensor]) -> list[Any]:
        """For each variable whether it took part in this step: a branch that did not run must not drift."""
        if self._settled_in_graph or self.supernet is None:
            return [True] * len(variables)
        ran = {
            (name, position): ops.not_equal(weights[position], 0.0)
            for name, weights in choice_weights.items()
            if self.supernet.relaxations[name].sparse
            for position in range(weights.shape[0])
        }
        return [ran.get(self._gates.get(id(variable), ("", 0)), True) for variable in variables]

    def _update_hyperparameters(
        self, held_out: Any, differentiate: Any, variables: Sequence[keras.Variable], before: Sequence[Tensor]
    ) -> None:
        """One step along the gradient of the held-out loss at the weights that were just reached."""
        due = ops.equal(self.steps % self.recipe.schedule.hyperparameters_every, 0)
        learning_rate = self._learning_rate()

        def measured() -> list[Tensor]:
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(held_out)
            gradients, loss, _, _ = differentiate(self.scaling(x) if self.scaling else x, y, sample_weight)
            known = [(g, v, w) for g, v, w in zip(gradients, variables, before) if g is not None]
            gradients, old = [g for g, _, _ in known], [w for _, _, w in known]
            moved = [ops.subtract(v, w) for _, v, w in known]
            return [loss, *(part.hypergradient(gradients, moved, old, learning_rate) for part in self.learned)]

        loss, *slopes = tf.cond(due, measured, lambda: [tf.zeros(())] * (1 + len(self.learned)))
        thetas = [part.theta for part in self.learned]
        self._updates[roles.HYPERPARAMETER].apply(slopes, thetas, [due] * len(thetas))
        for part in self.learned:
            part.project()
        loss = loss * self.distribute_strategy.num_replicas_in_sync  # undoes what is for gradients only
        self._held_out_loss.update_state(loss, sample_weight=ops.cast(due, "float32"))

    def average_replicas(self) -> None:
        """Makes moving statistics, which each replica moves by itself, the mean of all replicas; outside of graphs."""
        if self.distribute_strategy.num_replicas_in_sync == 1:
            return
        for variable in self.network.non_trainable_variables:
            if keras.backend.is_float_dtype(variable.dtype):
                parts = self.distribute_strategy.experimental_local_results(variable.value)
                variable.assign(sum(part.numpy() for part in parts) / len(parts))

    @property
    def _holds_out(self) -> bool:
        """Whether steps, as the graphs are, learn from held-out batches."""
        return bool(self.learned) and not self._settled_in_graph

    def get_metrics_result(self) -> dict[str, Tensor]:
        """As in Keras; without the held-out loss where nothing is held out."""
        result = super().get_metrics_result()
        return result if self._holds_out else {k: v for k, v in result.items() if k != self._held_out_loss.name}

    def test_step(self, data: Any) -> dict[str, Tensor]:
        """As in Keras; the held-out loss belongs to training alone."""
        return {name: value for name, value in super().test_step(data).items() if name != self._held_out_loss.name}

    def _log(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, loss: Tensor) -> dict[str, Tensor]:
        size = ops.shape(next(iter(tf.nest.flatten(x))))[0]
        self._loss_tracker.update_state(loss * self.distribute_strategy.num_replicas_in_sync, sample_weight=size)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def get_compile_config(self) -> dict[str, Any]:
        """The arguments of `compile`, serialized."""
        if not self.compiled:
            return {}
        return self._compile_serialized

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles with the arguments that `get_compile_config` returned."""
        self.compile(**{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()})


def _has_schedule(optimizer: keras.optimizers.Optimizer) -> bool:
    return not isinstance(optimizer.learning_rate, keras.Variable)
