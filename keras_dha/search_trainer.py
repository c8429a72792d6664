"""The one training step of a search."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_dha import roles
from keras_dha.compiled_model import CompiledModel, has_schedule
from keras_dha.hypergradients import exact_product, finite_difference_product
from keras_dha.hyperparameters import LearningRate, WeightDecay, WeightStep
from keras_dha.layers import ImageScaling
from keras_dha.layers.shared_graphs import reading_all
from keras_dha.penalties import Penalty
from keras_dha.relaxations import Relaxation

Tensor = Any


class SearchTrainer(CompiledModel):
    """What `train_step` of a `SearchModel` does.

    It knows roles and the contracts of the parts (docs/architecture.md); it asks for nobody's class but the
    two hyper-parameters that act on the optimizer's step.
    """

    network: keras.Model
    scaling: ImageScaling | None
    choice_relaxations: list[Relaxation]
    penalties: list[Penalty]
    schedule_state: dict[str, keras.Variable]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.baseline = self._state("baseline")
        self.baseline_losses = self._state("baseline_losses")
        self._held_out_loss = keras.metrics.Mean(name="held_out_loss")

    def forward(self, inputs: Any, training: bool | None) -> tuple[Any, dict[str, Tensor]]:
        """Outputs of the network for scaled inputs, and the weights of options that they were computed with."""
        if tf.executing_eagerly():
            self.synchronize()
        return self.network(inputs, training=training)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Augmentation, architecture and weights on the training batch; then hyper-parameters on the held-out one.

        A recipe may have the architecture descend the held-out loss instead, before anything else moves.
        """
        paired = isinstance(data, dict) and "train" in data
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data["train"] if paired else data)
        held_out = data.get("held_out") if paired else None
        inputs, draws = self._augmented(x)
        parts = roles.partition(self.trainable_variables)
        trained = parts[roles.WEIGHT] + ([] if self._settled_in_graph else parts[roles.ARCHITECTURE])
        count = len(parts[roles.WEIGHT])
        differentiate = self._differentiator(trained)
        due = self._architecture_due()
        bilevel = self._is_bilevel
        if bilevel and not self._settled_in_graph:
            outer = self._outer_gradients((inputs, y, sample_weight), held_out, differentiate, parts, due)
            self._update_architecture(outer, parts[roles.ARCHITECTURE], due)
        gradients, loss, y_pred, choice_weights = differentiate(inputs, y, sample_weight)
        if not bilevel:
            self._follow(loss)
        if draws is not None:
            self._update_augmentation(draws, y, y_pred, parts[roles.AUGMENTATION])
        if not self._settled_in_graph and not bilevel:
            self._update_architecture(gradients[count:], parts[roles.ARCHITECTURE], due)
        if self.schedule_state and not self._settled_in_graph:
            self._move_schedule(gradients[:count], due)
        learns = held_out is not None and bool(self.learned) and not self._settled_in_graph
        before = self._update_weights(gradients[:count], parts[roles.WEIGHT], choice_weights)
        if learns:
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
                loss, y_pred, choice_weights = self._loss_of(inputs, y, sample_weight)
                objective = loss + self._score(loss, choice_weights)
            return tape.gradient(objective, variables), loss, y_pred, choice_weights

        alone = self.distribute_strategy.num_replicas_in_sync == 1
        if not self._holds_out or self.run_eagerly or not alone:
            return differentiate
        return tf.function(differentiate, autograph=False, experimental_attributes={"_noinline": True})

    def _loss_of(self, inputs: Any, y: Any, sample_weight: Any) -> tuple[Tensor, Any, dict[str, Tensor]]:
        """The loss of a batch of scaled inputs, the outputs, and the weights of options."""
        y_pred, choice_weights = self.forward(inputs, training=True)
        return self.compute_loss(inputs, y, y_pred, sample_weight, training=True), y_pred, choice_weights

    def _score(self, loss: Tensor, choice_weights: dict[str, Tensor]) -> Tensor:
        """`sg(loss - baseline) * log p`: its gradient is the score-function estimate of the drawn choices."""
        if self._settled_in_graph or self.supernet is None:
            return 0.0
        advantage = ops.where(self.baseline_losses > 0, ops.stop_gradient(loss) - self.baseline, 0.0)
        relaxations = self.supernet.relaxations
        return advantage * sum(
            relaxations[name].log_probability(relaxations[name].logits, weights)
            for name, weights in choice_weights.items()
        )

    def _follow(self, loss: Tensor, measured: Tensor | bool = True) -> None:
        """Moves the baseline, if the loss was measured: the mean of the losses so far, later a moving one."""
        seen = ops.convert_to_tensor(self.baseline_losses)
        memory = ops.where(measured, ops.minimum(0.95, seen / (seen + 1.0)), 1.0)
        self.baseline.assign(memory * self.baseline + (1.0 - memory) * loss)
        self.baseline_losses.assign_add(ops.cast(measured, "float32"))

    def _update_augmentation(self, draws: Any, y: Any, y_pred: Any, variables: Sequence[keras.Variable]) -> None:
        if self.augmentation is None or not variables:
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

    def _update_architecture(
        self, gradients: Sequence[Tensor], variables: Sequence[keras.Variable], due: Tensor
    ) -> None:
        share = self.recipe.schedule.search_share(ops.convert_to_tensor(self.progress))
        if self.penalties:
            gradients = self._with_penalties(gradients, variables, share)
        active = [ops.logical_and(due, ops.logical_not(part.frozen)) for part in self.choice_relaxations]
        by_variable = {id(part.logits): gate for part, gate in zip(self.choice_relaxations, active)}
        self._updates[roles.ARCHITECTURE].apply(gradients, variables, [by_variable[id(v)] for v in variables])
        for penalty in self.penalties:
            penalty.step(self._relaxations, due)
        for part in self.choice_relaxations:
            part.project()
            part.step(share)

    @property
    def _relaxations(self) -> dict[str, Relaxation]:
        """Choice name to relaxation; empty where nothing is chosen."""
        return {} if self.supernet is None else self.supernet.relaxations

    def _with_penalties(
        self, gradients: Sequence[Tensor], variables: Sequence[keras.Variable], share: Tensor
    ) -> list[Tensor]:
        relaxations = self._relaxations
        with tf.GradientTape() as tape:
            # The optimizer sums gradients over replicas; the penalty is the same on each.
            total = sum(part.value(relaxations, share) for part in self.penalties)
            total = total / self.distribute_strategy.num_replicas_in_sync
        added = _dense(tape.gradient(total, variables), variables)
        return [ops.add(g, a) for g, a in zip(_dense(gradients, variables), added)]

    def _architecture_due(self) -> Tensor:
        state = {name: ops.convert_to_tensor(variable) for name, variable in self.schedule_state.items()}
        return self.recipe.schedule.architecture_due(
            ops.convert_to_tensor(self.progress), ops.convert_to_tensor(self.steps), state
        )

    def _move_schedule(self, gradients: Sequence[Tensor | None], due: Tensor) -> None:
        state = {name: ops.convert_to_tensor(variable) for name, variable in self.schedule_state.items()}
        known = [gradient for gradient in gradients if gradient is not None]
        for name, value in self.recipe.schedule.next_state(state, known, due).items():
            self.schedule_state[name].assign(self._mean_of_replicas(value))

    def _mean_of_replicas(self, value: Tensor) -> Tensor:
        """What replicas must agree on, for it decides what all of them do next."""
        if self.distribute_strategy.num_replicas_in_sync == 1:
            return value
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, value)

    def _outer_gradients(
        self,
        train: tuple[Any, ...],
        held_out: Any,
        differentiate: Any,
        parts: dict[str, list[keras.Variable]],
        due: Tensor,
    ) -> list[Tensor]:
        """The gradients of the held-out loss for the logits; zeros where the architecture is not due."""
        if held_out is None:
            raise ValueError(
                f"The architecture of the recipe {self.recipe.name!r} must learn from held-out examples. "
                "Received: a batch without them. Use fit with held_out=0.2, or another share, or data."
            )
        weights, logits = parts[roles.WEIGHT], parts[roles.ARCHITECTURE]

        def measured() -> list[Tensor]:
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(held_out)
            batch = (self.scaling(x) if self.scaling else x, y, sample_weight)
            if self.recipe.architecture_loss != "held_out":
                return self._unrolled(train, batch, differentiate, weights, logits)
            gradients, loss, _, _ = differentiate(*batch)
            return [loss, *_dense(gradients[len(weights) :], logits)]

        nothing = [ops.zeros(v.shape, v.dtype) for v in logits]
        loss, *gradients = tf.cond(due, measured, lambda: [ops.convert_to_tensor(self.baseline), *nothing])
        self._follow(loss, due)
        self._log_held_out(loss, due)
        return gradients

    def _unrolled(
        self,
        train: tuple[Any, ...],
        held_out: tuple[Any, ...],
        differentiate: Any,
        weights: list[keras.Variable],
        logits: list[keras.Variable],
    ) -> list[Tensor]:
        """Held-out loss and gradients at the weights one step on, through that step; all but the logits is put back."""
        if self.distribute_strategy.num_replicas_in_sync > 1:
            raise ValueError(
                "A second-order architecture gradient must be taken on one replica. Received: "
                f"{self.distribute_strategy.num_replicas_in_sync} replicas. Use the first order, darts(order=1)."
            )
        count, rate = len(weights), self._learning_rate()
        states = [
            (v, ops.copy(v)) for v in self.network.non_trainable_variables if keras.backend.is_float_dtype(v.dtype)
        ]
        before = [ops.copy(variable) for variable in weights]
        inner = _dense(differentiate(*train)[0][:count], weights)
        for variable, value in zip(weights, self.plain_step(weights, inner, rate)):
            variable.assign(value)
        gradients, loss, _, _ = differentiate(*held_out)
        vector, outer = _dense(gradients[:count], weights), _dense(gradients[count:], logits)
        for variable, value in zip(weights, before):
            variable.assign(value)
        if self.recipe.architecture_loss == "unrolled_exact":
            product = exact_product(lambda: self._loss_of(*train)[0], weights, vector, logits)
        else:
            product = finite_difference_product(
                lambda: _dense(differentiate(*train)[0][count:], logits), weights, vector
            )
        for variable, value in states:
            variable.assign(value)
        return [loss, *(ops.subtract(g, rate * h) for g, h in zip(outer, product))]

    def _update_weights(
        self, gradients: Sequence[Tensor], variables: Sequence[keras.Variable], choice_weights: dict[str, Tensor]
    ) -> list[Tensor]:
        """One step of the weights. Returns what they were, as the units of the update."""
        learning_rate = self._learning_rate()
        if not has_schedule(self.optimizer):
            self.optimizer.learning_rate.assign(learning_rate)
        known = [(g, v) for g, v in zip(gradients, variables) if g is not None]
        gradients, variables = [g for g, _ in known], [v for _, v in known]
        active = self._active(variables, choice_weights)
        update, shrinkage = self._updates[roles.WEIGHT], None
        for part in self.learned:
            if isinstance(part, WeightDecay) and part.coupled:
                gradients = part.added(variables, gradients)
            elif isinstance(part, WeightDecay):
                share = part.shrinkage(learning_rate)
                shrinkage = [share if part.acts_on(weight) else None for weight in update.representatives]
        return update.apply(gradients, variables, active, shrinkage)

    def _learning_rate(self) -> Tensor:
        """The rate of this step: the optimizer's own schedule, or the learned or constant one, annealed."""
        if has_schedule(self.optimizer):
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
            (name, position): runs
            for name, weights in choice_weights.items()
            if self.supernet.relaxations[name].sparse
            for position, runs in enumerate(ops.unstack(ops.not_equal(weights, 0.0)))
        }
        active: list[Any] = []
        for variable in variables:
            flags = [ran.get(place, True) for place in self._gates.get(id(variable), [("", 0)])]
            active.append(True if any(flag is True for flag in flags) else functools.reduce(ops.logical_or, flags))
        return active

    def _update_hyperparameters(
        self, held_out: Any, differentiate: Any, variables: Sequence[keras.Variable], before: Sequence[Tensor]
    ) -> None:
        """One step along the gradient of the held-out loss at the weights that were just reached."""
        due = ops.equal(self.steps % self.recipe.schedule.hyperparameters_every, 0)
        learning_rate, update = self._learning_rate(), self._updates[roles.WEIGHT]

        def measured() -> list[Tensor]:
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(held_out)
            gradients, loss, *unread = differentiate(self.scaling(x) if self.scaling else x, y, sample_weight)
            loss = reading_all(loss, [gradients[len(variables) :], *unread])
            slopes = update.joined(gradients[: len(variables)], variables)
            after = [ops.convert_to_tensor(unit) for unit in update.units]
            step = WeightStep(update.representatives, slopes, before, after, learning_rate)
            return [loss, *(part.hypergradient(step) for part in self.learned)]

        loss, *slopes = tf.cond(due, measured, lambda: [tf.zeros(())] * (1 + len(self.learned)))
        thetas = [part.theta for part in self.learned]
        self._updates[roles.HYPERPARAMETER].apply(slopes, thetas, [due] * len(thetas))
        for part in self.learned:
            part.project()
        self._log_held_out(loss, due)

    def _log_held_out(self, loss: Tensor, measured: Tensor) -> None:
        loss = loss * self.distribute_strategy.num_replicas_in_sync  # undoes what is for gradients only
        self._held_out_loss.update_state(loss, sample_weight=ops.cast(measured, "float32"))

    def option_costs(self, x: Any, y: Any) -> tuple[dict[str, dict[str, float]], Any]:
        """What each option costs on some examples, `w * dL/dw`, and the logits, as an array.

        Batch statistics are those of the examples; moving ones stay as they are. A drawing relaxation draws once.

        Args:
            x: Inputs, as for `fit`.
            y: Labels.

        Returns:
            Choice name to option name to cost, in units of the loss; and `(num_examples, num_classes)`.
        """
        states = [(v, ops.copy(v)) for v in self.network.non_trainable_variables]
        with tf.GradientTape() as tape:
            outputs, weights = self.forward(self.scaling(x) if self.scaling else x, training=True)
            loss = self.compute_loss(x, ops.convert_to_tensor(y), outputs, None, training=False)
        gradients = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        for variable, value in states:
            variable.assign(value)
        costs = {
            name: dict(zip(self._relaxations[name].choice.options, (weights[name] * gradients[name]).numpy().tolist()))
            for name in weights
        }
        return costs, ops.convert_to_numpy(outputs)

    def average_replicas(self) -> None:
        """Makes moving statistics, which each replica moves by itself, the mean of all replicas; outside of graphs."""
        if self.distribute_strategy.num_replicas_in_sync == 1:
            return
        for variable in self.network.non_trainable_variables:
            if keras.backend.is_float_dtype(variable.dtype):
                parts = self.distribute_strategy.experimental_local_results(variable.value)
                variable.assign(sum(part.numpy() for part in parts) / len(parts))

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


def _dense(gradients: Sequence[Tensor | None], variables: Sequence[keras.Variable]) -> list[Tensor]:
    """Zeros for the gradients that are None."""
    return [ops.zeros(v.shape, v.dtype) if g is None else g for g, v in zip(gradients, variables, strict=True)]
