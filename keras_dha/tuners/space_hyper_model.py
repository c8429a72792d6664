"""A search space as a hypermodel of KerasTuner."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import keras_tuner
import numpy as np

from keras_dha.augmentation import AugmentationPolicy, RandAugment, TrivialAugment
from keras_dha.data import DataSummary
from keras_dha.derivation import on_raw_inputs
from keras_dha.spaces import Decisions, ModelSpace, SearchSpace
from keras_dha.tuners.trial_chooser import TrialChooser, decisions_of
from keras_dha.tuners.trial_data import TrialData

AUGMENTATIONS = ("none", "trivial_augment", "rand_augment")
Range = float | Sequence[float] | None


class SpaceHyperModel(keras_tuner.HyperModel):
    """Any search space, for any tuner of KerasTuner, with hyper-parameters of the training and augmentation.

    `build` gives the network of a trial as a plain Keras model of the user's own inputs, of stock layers if the space's
    are, compiled; `fit` trains it. Images are standardized by a `Normalization` layer, with the mean and deviation of
    the training data of the first fit, where the space's networks take such images (`space.standardizes`).

    Of the training hyper-parameters a pair `(low, high)` is searched, a number is fixed, and None is left as it is.

    Args:
        space: A `SearchSpace`, or a Keras model, of which only the training is searched. A `ModelSpace` or `GatedSpace`
            trains on from its model's weights, and with its optimizer, loss and metrics if it is compiled.
        learning_rate: Of the optimizer, searched on a log scale. Default: (1e-3, 0.5).
        weight_decay: Decoupled, on a log scale. Default: (1e-5, 1e-2).
        label_smoothing: The share of all classes alike in the training labels; loss and metrics are then those of
            `build`, whatever the tuner was given. Default: (0.0, 0.2); left out where the loss is the space's own, or
            there is one output.
        batch_size: A number, or a sequence of some to choose from. Default: None, that of `tuner.search`.
        epochs: A number, or a sequence of some. Default: None, those of `tuner.search`; `Hyperband` sets its own.
        augmentation: Of images: an `AugmentationPolicy`; or one or several of `"none"`, `"trivial_augment"` and
            `"rand_augment"`, of which the number and the strength of operations are searched; None for none. Default:
            all three.
        optimizer: A function without arguments that returns an optimizer. Default: SGD, Nesterov momentum 0.9.
        seed: Makes a trial repeatable; several executions of one trial are then all alike. None: nothing is seeded.
        name: As in `keras_tuner.HyperModel`.

    Raises:
        ValueError: If an argument is not as said, or a choice of the space has the name of a training hyper-parameter.
        FatalValueError: In a search, if the data cannot be trained on.

    Example:

    ```python
    hypermodel = SpaceHyperModel(keras_dha.spaces.NASBench201Space((28, 28, 1), 10))
    tuner = keras_tuner.RandomSearch(hypermodel, objective="val_accuracy", max_trials=20)
    tuner.search(x_train, y_train, validation_data=(x_val, y_val), epochs=10)
    decisions = hypermodel.decisions(tuner.get_best_hyperparameters()[0])
    model = tuner.get_best_models()[0]
    ```
    """

    def __init__(
        self,
        space: SearchSpace | keras.Model,
        *,
        learning_rate: Range = (1e-3, 0.5),
        weight_decay: Range = (1e-5, 1e-2),
        label_smoothing: Range = (0.0, 0.2),
        batch_size: int | Sequence[int] | None = None,
        epochs: int | Sequence[int] | None = None,
        augmentation: AugmentationPolicy | str | Sequence[str] | None = AUGMENTATIONS,
        optimizer: Callable[[], keras.optimizers.Optimizer] | None = None,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.space = ModelSpace(space) if isinstance(space, keras.Model) else space
        of_numbers = self.space.num_classes == 1 or not self.space.classifies
        own_loss = "loss" in self.space.compile_arguments() or of_numbers
        self.learning_rate = _range("learning_rate", learning_rate, smallest=0.0, log=True)
        self.weight_decay = _range("weight_decay", weight_decay, smallest=0.0, log=True)
        self.label_smoothing = None if own_loss else _range("label_smoothing", label_smoothing, smallest=0.0, most=1.0)
        self.batch_size, self.epochs = _numbers("batch_size", batch_size), _numbers("epochs", epochs)
        self.augmentation = _kinds(augmentation) if len(self.space.input_shape) == 3 else ()
        self.optimizer, self.seed = optimizer, seed
        self._summary: DataSummary | None = None
        hp = keras_tuner.HyperParameters()
        self.declare_hyperparameters(hp)
        clash = sorted({known.name for known in hp.space} & {choice.name for choice in self.space.choices()})
        if clash:
            raise ValueError(
                "Choices of a space must not be named as hyper-parameters of the training are. "
                f"Received: {clash} in both. Rename the choices."
            )

    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        """Asks for those of the training, so that a tuner knows all from the start."""
        for name in ("learning_rate", "weight_decay", "label_smoothing", "batch_size", "epochs"):
            self._value(hp, name)
        self._policy(hp)

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """The network of a trial, compiled."""
        if self.seed is not None:
            keras.utils.set_random_seed(self.seed)
        self.declare_hyperparameters(hp)
        network = self.space.without_closed(self.space.build(TrialChooser(hp)))
        if self.space.standardizes:
            inputs = network.input
            is_image = isinstance(inputs, keras.KerasTensor) and len(inputs.shape) == 4
            scaling = keras.layers.Normalization(axis=-1, name="scaling", dtype="float32") if is_image else None
            network = on_raw_inputs(network, scaling)
        self._adapt(network)
        self._compile(network, self._optimizer(hp))
        network.optimizer.build(network.trainable_variables)  # so that a checkpoint has somewhere to put its state
        return network

    def fit(
        self, hp: keras_tuner.HyperParameters, model: keras.Model, x: Any = None, y: Any = None, **kwargs: Any
    ) -> Any:
        """Trains the network of a trial, as `keras.Model.fit` with what `tuner.search` was given.

        Args:
            hp: The trial's hyper-parameters.
            model: What `build` gave.
            x: What `keras.Model.fit` takes.
            y: The same.
            **kwargs: The same.

        Returns:
            The history.
        """
        if kwargs.get("validation_split"):
            raise keras_tuner.errors.FatalValueError(
                "Validation data must be given apart, so that all trials have the same. "
                f"Received: validation_split={kwargs['validation_split']}. Give validation_data=(x, y)."
            )
        batch_size, epochs = self._value(hp, "batch_size"), self._value(hp, "epochs")
        given = kwargs.pop("batch_size", None)
        data = TrialData(
            x,
            y,
            kwargs.pop("sample_weight", None),
            batch_size=given if batch_size is None else int(batch_size),
            policy=self._policy(hp),
            smoothing=self._value(hp, "label_smoothing"),
            num_classes=self.space.num_classes if self.space.classifies else 0,
            seed=int(np.random.default_rng(self.seed).integers(2**31)),
        )
        self._summary = self._summary or data.summary
        self._adapt(model)
        kinds = keras.losses.SparseCategoricalCrossentropy, keras.losses.CategoricalCrossentropy
        if data.is_one_hot and data.summary.label_kind != "one_hot" and not isinstance(model.loss, kinds):
            raise keras_tuner.errors.FatalValueError(
                "Labels can be smoothed or mixed only for a cross-entropy. "
                f"Received: loss={model.loss!r}. Give label_smoothing=None, and a policy without mixing."
            )
        if data.is_one_hot and isinstance(model.loss, kinds[0]):
            self._compile(model, model.optimizer, one_hot=True)
        kwargs["epochs"] = kwargs.get("epochs", 1) if epochs is None else int(epochs)
        kwargs["callbacks"] = [data.teller, *(kwargs.get("callbacks") or ())]
        kwargs["validation_data"] = data.validation(kwargs.get("validation_data"))
        kwargs["shuffle"] = False  # the data has an order of its own
        return model.fit(data.dataset, **kwargs)

    def decisions(self, hp: keras_tuner.HyperParameters | Mapping[str, Any]) -> Decisions:
        """What a trial keeps, such as `tuner.get_best_hyperparameters()[0]`."""
        return decisions_of(self.space, hp)

    def _value(self, hp: keras_tuner.HyperParameters, name: str) -> float | None:
        given = getattr(self, name)
        if not isinstance(given, tuple):
            return given
        if name in ("batch_size", "epochs"):
            return hp.Choice(name, list(given))
        low, high = given
        if name == "label_smoothing":
            return hp.Float(name, low, high)
        return hp.Float(name, low, high, sampling="log", default=math.sqrt(low * high))

    def _policy(self, hp: keras_tuner.HyperParameters) -> AugmentationPolicy | None:
        if isinstance(self.augmentation, AugmentationPolicy):
            return self._copy(self.augmentation)
        if not self.augmentation:
            return None
        kinds = self.augmentation
        kind = hp.Choice("augmentation", list(kinds))
        number, strength = 2, 0.5
        if "rand_augment" in kinds:
            with hp.conditional_scope("augmentation", ["rand_augment"]):
                number = hp.Int("rand_augment_layers", 1, 3, default=2)
                strength = hp.Float("rand_augment_strength", 0.1, 1.0, step=0.1, default=0.5)
        if kind == "rand_augment":
            return RandAugment(num_layers=number, strength=min(float(strength), 1.0), seed=self.seed)
        return TrivialAugment(seed=self.seed) if kind == "trivial_augment" else None

    def _copy(self, policy: AugmentationPolicy) -> AugmentationPolicy:
        """A policy of the same state, which trials do not share; with what it has learned, if anything."""
        own = type(policy).from_config(policy.get_config())
        if policy.weights:
            if not own.built:
                own.build((None, *self.space.input_shape))
            own.set_weights(policy.get_weights())
        return own

    def _optimizer(self, hp: keras_tuner.HyperParameters) -> keras.optimizers.Optimizer:
        known = self.space.compile_arguments().get("optimizer")
        if self.optimizer is not None or known is None:
            known = self.optimizer() if self.optimizer else keras.optimizers.SGD(momentum=0.9, nesterov=True)
        rate, decay = self._value(hp, "learning_rate"), self._value(hp, "weight_decay")
        if rate is not None:
            known.learning_rate = float(rate)
        if decay is not None:
            known.weight_decay = float(decay)
        return known

    def _compile(self, model: keras.Model, optimizer: keras.optimizers.Optimizer, *, one_hot: bool = False) -> None:
        known = self.space.compile_arguments()
        if "loss" not in known:
            one_hot = one_hot or (self._summary is not None and self._summary.label_kind == "one_hot")
            kinds = keras.losses
            kind = kinds.CategoricalCrossentropy if one_hot else kinds.SparseCategoricalCrossentropy
            of_numbers = self.space.num_classes == 1 or not self.space.classifies
            known["loss"] = kinds.MeanSquaredError() if of_numbers else kind(from_logits=self.space.from_logits)
            known.setdefault("metrics", [] if of_numbers else ["accuracy"])
        model.compile(optimizer, loss=known["loss"], metrics=known.get("metrics"))

    def _adapt(self, model: keras.Model) -> None:
        """Standardizes by the data's mean and deviation, where that is done and they are known."""
        layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Normalization)]
        if not self.space.standardizes or not layers or self._summary is None:
            return
        low, high = self._summary.pixel_range
        least = 1e-3 * ((high - low) or 1.0)  # a constant channel must not divide by zero
        deviation = np.maximum(self._summary.std or (1.0,), least)
        scaling = layers[0]
        scaling.adapt_mean.assign(np.asarray(self._summary.mean or (0.0,)))
        scaling.adapt_variance.assign(deviation**2)
        scaling.finalize_state()


def _range(name: str, given: Any, *, smallest: float, most: float = math.inf, log: bool = False) -> Any:
    """None, a number, or a pair that is a range."""
    numbers = list(given) if isinstance(given, (tuple, list)) else [given]
    if given is None:
        return None
    are_numbers = all(isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n) for n in numbers)
    is_pair = isinstance(given, (tuple, list))
    in_range = are_numbers and all(smallest <= n <= most for n in numbers)
    if not in_range or (is_pair and (len(numbers) != 2 or numbers[0] >= numbers[1] or (log and numbers[0] <= 0))):
        raise ValueError(
            f"{name} must be a pair (low, high), low < high, to be searched in between{', low > 0' if log else ''}; a "
            f"number; or None. Received: {name}={given!r}. Give None to leave it out."
        )
    return tuple(map(float, numbers)) if is_pair else float(given)


def _numbers(name: str, given: Any) -> Any:
    """None, a positive integer, or several."""
    numbers = list(given) if isinstance(given, (tuple, list)) else [given]
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 1 for n in numbers)
    if given is not None and (not numbers or not whole):
        raise ValueError(
            f"{name} must be a positive integer, a sequence of some, or None. Received: {name}={given!r}. "
            "Give None for that of the search."
        )
    return tuple(map(int, numbers)) if isinstance(given, (tuple, list)) else given


def _kinds(given: Any) -> Any:
    """A policy, or names of what is searched."""
    if given is None or isinstance(given, AugmentationPolicy):
        return given or ()
    names = (given,) if isinstance(given, str) else tuple(given)
    if not names or not set(names) <= set(AUGMENTATIONS):
        raise ValueError(
            f"augmentation must be a policy, or one or several of {AUGMENTATIONS}, or None. "
            f"Received: augmentation={given!r}. Give None for none."
        )
    return names
