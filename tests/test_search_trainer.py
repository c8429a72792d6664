"""Each part switched off leaves the step of the rest; wrong arguments are named before any training."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_space import TinySpace, TwoInputSpace, assert_same, images, recipe, search_model, weights_of

import keras_dha
from keras_dha import SearchModel
from keras_dha.augmentation import PairPolicy, RandAugment, load
from keras_dha.hyperparameters import LearningRate, WeightDecay
from keras_dha.penalties import Proximity
from keras_dha.relaxations import OneHotSample, Softmax
from keras_dha.schedules import DynamicSchedule, Schedule

X, Y = images()
HELD_OUT = images(20, seed=1)
PLAIN = {"space": TinySpace(normalize=False)}
OFF: dict[str, Any] = {"augmentation": None, "hyperparameters": None}
SEARCH = Schedule(search_fraction=1.0, warmup_fraction=0.0, hyperparameters_every=2)


def fit(model: SearchModel, x: Any = X, y: Any = Y, **arguments: Any) -> dict[str, list[float]]:
    arguments = {"batch_size": 16, "epochs": 2, "held_out": HELD_OUT, "verbose": 0, **arguments}
    return model.fit(x, y, **arguments).history


def shared(first: SearchModel, second: SearchModel, *, without: tuple[str, ...] = ()) -> None:
    """The network's weights and logits are the same bit for bit."""
    assert_same(weights_of(first.network), weights_of(second.network))


def test_hyperparameters_off_is_learning_them_with_a_rate_of_zero() -> None:  # A6 of DHA
    keras.utils.clear_session()  # equal names: TensorFlow orders some sums by them, and conv2d_10 is before conv2d_9
    off = search_model(**PLAIN, **OFF, schedule=SEARCH, relaxation=Softmax())
    off.compile(optimizer=keras.optimizers.SGD(0.05, momentum=0.9))
    keras.utils.clear_session()
    # A relaxation without noise: the held-out pass would move the stream of one that draws.
    still = search_model(
        **PLAIN,
        augmentation=None,
        hyperparameters=(LearningRate(0.05, space="raw"),),
        schedule=SEARCH,
        relaxation=Softmax(),
    )
    still.compile(
        hyperparameter_optimizer=keras.optimizers.SGD(0.0), optimizer=keras.optimizers.SGD(0.05, momentum=0.9)
    )
    assert fit(still)["loss"] == fit(off)["loss"]
    shared(still, off)


def test_a_policy_about_which_nothing_is_learned_augments_a_search() -> None:
    policy = RandAugment(("Rotate", "Cutout"), num_layers=1, strength=1.0)
    model = search_model(**PLAIN, augmentation=policy, hyperparameters=None, schedule=SEARCH)
    plain = search_model(**PLAIN, **OFF, schedule=SEARCH)
    assert fit(model)["loss"] != fit(plain)["loss"]
    assert load(model.policy()).get_config()["strength"] == 1.0


def test_augmentation_off_is_a_policy_of_identities() -> None:  # A6 of DHA
    policy = PairPolicy(("Identity",))
    on = search_model(**PLAIN, augmentation=policy, hyperparameters=None, schedule=SEARCH)
    off = search_model(**PLAIN, **OFF, schedule=SEARCH)
    np.testing.assert_allclose(fit(on)["loss"], fit(off)["loss"], rtol=1e-6)
    for a, b in zip(on.network.get_weights(), off.network.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_policy_does_not_change_what_the_architecture_draws() -> None:
    drawn = []
    for augmentation in (None, PairPolicy(("Identity", "Brightness"))):
        model = search_model(**PLAIN, relaxation=OneHotSample(), augmentation=augmentation)
        model.compile()
        model.train_on_batch(X[:16], Y[:16])
        drawn.append([part.seed_generator.state.numpy().tolist() for part in model.choice_relaxations])
        logits = keras.ops.zeros(3)
        edge = model.supernet.relaxations["edge"]
        drawn[-1] += [np.asarray(edge(logits, training=True)).tolist() for _ in range(20)]
    assert drawn[0] == drawn[1]


def test_streams_of_parts_are_independent() -> None:  # D12 of DHA
    model = search_model()
    states = [part.seed_generator.state.numpy() for part in model.choice_relaxations]
    states += [stream.state.numpy() for stream in model.augmentation.streams.values()]
    assert len({int(state[0]) for state in states}) == len(states)


@pytest.mark.parametrize("normalize", [False, True])
def test_all_parts_off_is_a_plain_fit(normalize: bool) -> None:  # A6 of DHA
    space = TinySpace(normalize=normalize)
    decisions = {"edge": "conv", "node": "1/skip"}
    ours = search_model(space=space, decisions=decisions, **OFF, schedule=Schedule(anneal=None))
    ours.compile(keras.optimizers.SGD(0.05, momentum=0.9))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    plain = ours.space.build(keras_dha.derivation.FixedChooser(decisions))
    plain.set_weights(ours.network.get_weights())
    plain.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss=loss, metrics=["accuracy"])
    x = (X / 255.0).astype("float32")  # in the unit interval, so that scaling stays as it is made
    for _ in range(3):
        a, b = (m.train_on_batch(x[:16], Y[:16], return_dict=True) for m in (ours, plain))
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
    for a, b in zip(ours.network.get_weights(), plain.get_weights(), strict=True):
        if normalize:
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
        else:
            np.testing.assert_array_equal(a, b)


def test_fixed_decisions() -> None:
    decisions = {"edge": ("point",), "node": ("0/conv",)}
    model = search_model(**PLAIN, decisions=decisions, augmentation=None)
    history = fit(model)
    assert model.decisions() == decisions
    assert "entropy" not in history
    assert history["phase"] == [0.0, 1.0]
    np.testing.assert_allclose(model.derive()(X), model(X), atol=1e-5)
    again = SearchModel.from_config(model.get_config())
    assert again.decisions() == decisions


def test_the_users_optimizer_says_where_learning_starts() -> None:
    model = search_model(**PLAIN, augmentation=None)
    model.compile(keras.optimizers.AdamW(0.02, weight_decay=1e-3))
    assert model.hyperparameters() == pytest.approx({"learning_rate": 0.02, "weight_decay": 1e-3}, rel=1e-5)
    assert model.optimizer.weight_decay is None  # or it would decay twice


def test_the_recipes_optimizer_does_not_overrule_what_the_user_says_of_a_hyperparameter() -> None:
    model = SearchModel(TinySpace(), keras_dha.recipes.darts(), hyperparameters=(WeightDecay(2e-3),))
    model.compile()
    assert model.hyperparameters() == pytest.approx({"weight_decay": 2e-3})
    assert model.optimizer.weight_decay is None


def test_what_is_not_learned_stays_what_the_recipe_starts_from() -> None:
    """Without learned hyper-parameters, `dha` trained without weight decay."""
    learned, fixed = (SearchModel(TinySpace(), **off) for off in ({}, {"hyperparameters": None}))
    for model in (learned, fixed):
        model.compile()
    start = {"learning_rate": float(fixed.optimizer.learning_rate), "weight_decay": fixed.optimizer.weight_decay}
    assert learned.hyperparameters() == pytest.approx(start)


def test_names_of_optimizers_and_losses() -> None:
    model = search_model(**PLAIN, augmentation=None, hyperparameters=None)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, ["sparse_top_k_categorical_accuracy"], architecture_optimizer="sgd")
    history = fit(model)
    assert type(model.architecture_optimizer) is keras.optimizers.SGD
    assert history["learning_rate"][0] == pytest.approx(1e-3)
    assert "sparse_top_k_categorical_accuracy" in history


def test_a_scheduled_rate_is_respected() -> None:
    model = search_model(**PLAIN, augmentation=None, hyperparameters=(WeightDecay(),))
    model.compile(keras.optimizers.SGD(keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.1, 0.01])))
    np.testing.assert_allclose(fit(model)["learning_rate"], [0.01, 0.01], rtol=1e-6)


def test_a_learned_rate_multiplies_a_schedule() -> None:
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.5)
    parts = (LearningRate(bounds=(0.01, 100.0), max_step=None),)
    model = search_model(**PLAIN, augmentation=None, hyperparameters=parts, schedule=SEARCH)
    model.compile(keras.optimizers.SGD(decay))
    assert model.hyperparameters() == {"learning_rate": 1.0}
    history = fit(model)
    value = model.hyperparameters()["learning_rate"]
    assert value != 1.0
    assert history["learning_rate"][-1] == pytest.approx(value * float(decay(8)), rel=1e-3)
    assert isinstance(model.derive().optimizer._learning_rate, keras.optimizers.schedules.ExponentialDecay)


def test_a_factor_of_a_schedule_needs_room() -> None:
    model = search_model(**PLAIN, augmentation=None)
    with pytest.raises(ValueError, match=r"starts at 1, which must lie within its bounds\. Received: learning_rate=1,"):
        model.compile(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)))


def test_one_optimizer_for_two_roles() -> None:
    model, optimizer = search_model(**PLAIN, augmentation=None), keras.optimizers.Adam(0.01)
    with pytest.raises(ValueError, match=r"new optimizer of its own\. Received: .*the same one twice"):
        model.compile(optimizer, architecture_optimizer=optimizer)
    model.compile(optimizer)
    with pytest.raises(ValueError, match=r"Received: \['optimizer'\] in use already"):
        model.compile(optimizer)


def batches(x: Any, y: Any, *weights: Any) -> Any:
    return tf.data.Dataset.from_tensor_slices((x, y, *weights)).batch(16)


class Sequence(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, i: int) -> Any:
        return X[16 * i : 16 * i + 16], Y[16 * i : 16 * i + 16]


ONE_HOT = np.eye(3, dtype="float32")[Y]
DATA = {
    "arrays": lambda: (X, Y),
    "column": lambda: (X, Y[:, None]),
    "one_hot": lambda: (X, ONE_HOT),
    "floats": lambda: ((X / 255.0).astype("float32"), Y),
    "dataset": lambda: (batches(X, Y),),
    "weighted": lambda: (batches(X, Y, np.ones(64, "float32")),),
    "sequence": lambda: (Sequence(),),
}


@pytest.mark.parametrize("kind", DATA)
def test_kinds_of_data(kind: str) -> None:
    x, *y = DATA[kind]()
    model = search_model(**PLAIN, augmentation=PairPolicy(("Identity",)), relaxation=Softmax())
    arguments = {} if kind in ("dataset", "weighted", "sequence") else {"batch_size": 16}
    validation = (x, *y) if y else x
    history = model.fit(x, *y, epochs=2, verbose=0, validation_data=validation, **arguments).history
    assert history["phase"] == [0.0, 1.0]
    assert np.isfinite(history["val_loss"]).all()
    inputs = x if y else X
    np.testing.assert_allclose(model.derive()(inputs), model(inputs), atol=1e-5)


def test_weights_of_examples() -> None:
    model = search_model(**PLAIN, augmentation=None, relaxation=Softmax())
    weight = np.zeros(64, "float32")
    assert fit(model, sample_weight=weight)["loss"] == [0.0, 0.0]


def test_named_inputs_that_are_no_images() -> None:
    rng = np.random.default_rng(0)
    x = {"wide": rng.normal(size=(64, 3)).astype("float32"), "narrow": rng.normal(size=(64, 1)).astype("float32")}
    model = SearchModel(TwoInputSpace((4,), 3), recipe(), seed=0)
    model.fit(x, Y, batch_size=16, epochs=2, verbose=0, validation_data=(x, Y))
    assert model.policy() is None  # for it is one of images
    final = model.derive()
    np.testing.assert_allclose(final.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5)


def test_nothing_is_held_out_if_no_hyperparameter_is_learned() -> None:
    model = search_model(**PLAIN, **OFF)
    fit(model, held_out=0.999)  # would leave no example to train on


def test_validation_data_teach_nothing() -> None:
    models = [search_model(**PLAIN, augmentation=None) for _ in range(2)]
    fit(models[0])
    fit(models[1], validation_data=(X[:8], Y[:8]))
    assert_same(weights_of(models[0]), weights_of(models[1]))


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"time_budget": 0}, "time_budget=0"),
        ({"time_budget": float("nan")}, "time_budget=nan"),
        ({"held_out": 1.5}, "held_out=1.5"),
        ({"held_out": 0.0}, "held_out=0.0"),
        ({"held_out": True}, "held_out"),
        ({"held_out": "some"}, "held_out"),
        ({"class_weight": {0: 2.0}}, "class_weight"),
        ({"validation_split": 0.5}, "validation_split"),
        ({"batch_size": 1000}, "1000"),
    ],
)
def test_arguments_of_fit(arguments: dict[str, Any], received: str) -> None:
    model = search_model(**PLAIN, augmentation=None)
    with pytest.raises(ValueError, match=f"Received: .*{received}"):
        fit(model, **arguments)
    assert int(model.steps.numpy()) == 0


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        ({"relaxation": "softmax"}, "relaxation='softmax'"),
        ({"relaxation": None}, "relaxation=None"),
        ({"augmentation": "flip"}, "augmentation='flip'"),
        ({"hyperparameters": LearningRate()}, "hyperparameters=<LearningRate"),
        ({"hyperparameters": [0.1]}, r"hyperparameters=\(0.1,\)"),
        ({"schedule": 0.5}, "schedule=0.5"),
        ({"recipe": "dha"}, "recipe='dha'"),
        ({"recipe": keras_dha.recipes.dha}, "recipe=<function dha"),
    ],
)
def test_parts_of_a_wrong_kind(arguments: dict[str, Any], received: str) -> None:
    with pytest.raises(TypeError, match=f"Received: {received}"):
        SearchModel(TinySpace(), **arguments)


def test_a_space_of_a_wrong_kind() -> None:
    with pytest.raises(TypeError, match=r"space must be a SearchSpace\. Received: space=<class"):
        SearchModel(TinySpace)


@pytest.mark.parametrize("decisions", [{"edge": "conv"}, {"edge": "conv", "node": "7/conv"}, {"other": "x"}])
def test_decisions_of_another_space(decisions: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"Received: "):
        SearchModel(TinySpace(), decisions=decisions)


def test_pixels_outside_of_the_training_range_are_augmented_without_an_error() -> None:
    # They crashed the histogram of Equalize: held-out pictures, which join the training, may be brighter than the rest.
    policy = PairPolicy(operations=("Equalize",), search_magnitude=8.0)
    model = search_model(augmentation=policy, relaxation=Softmax())
    model.compile()
    x, y = images()
    logs = model.train_on_batch(300.0 * x.astype("float32"), y, return_dict=True)
    assert np.isfinite(logs["loss"])


def bilevel(**arguments: Any) -> SearchModel:
    """DARTS on an exact network: only the architecture moves, by plain descent."""
    schedule = Schedule(search_fraction=1.0, warmup_fraction=0.0)
    model = SearchModel(TinySpace(normalize=False), keras_dha.recipes.darts(), schedule=schedule, seed=0, **arguments)
    model.compile(keras.optimizers.SGD(0.0), architecture_optimizer=keras.optimizers.SGD(1.0))
    return model


def test_the_architecture_descends_the_held_out_loss_at_the_weights_as_they_are() -> None:
    model = bilevel()
    history = fit(model, X[:20], Y[:20], batch_size=20, epochs=1)  # the held-out part is one batch, too
    moved = {name: part.logits.numpy() for name, part in model.supernet.relaxations.items()}
    model.phase.assign(0)  # a fit ends settled
    model.synchronize()
    for part in model.choice_relaxations:
        part.logits.assign(keras.ops.zeros_like(part.logits))
    logits = [part.logits for part in model.choice_relaxations]
    with tf.GradientTape() as tape:
        loss = model.loss(HELD_OUT[1], model(HELD_OUT[0], training=True))
    assert history["held_out_loss"][0] == pytest.approx(float(loss), rel=1e-4)
    for part, gradient in zip(model.choice_relaxations, tape.gradient(loss, logits)):
        np.testing.assert_allclose(moved[part.choice.name], -gradient.numpy(), rtol=1e-3, atol=1e-6)


def test_a_batch_without_held_out_examples_cannot_train_a_bilevel_search() -> None:
    with pytest.raises(ValueError, match=r"learn from held-out examples\. Received: a batch without them"):
        bilevel().train_on_batch(X[:16], Y[:16])


def test_fixed_decisions_hold_nothing_out_for_the_architecture() -> None:
    model = bilevel(decisions={"edge": "conv", "node": "1/skip"})
    assert "held_out_loss" not in fit(model, held_out=0.2, epochs=1)


def test_a_penalty_moves_the_architecture_where_no_loss_does() -> None:
    parts = {"penalties": [Proximity(1.0)], "relaxation": Softmax()}
    model = SearchModel(TinySpace(), keras_dha.recipes.darts(), schedule=SEARCH, seed=0, **parts)
    model.compile(architecture_optimizer=keras.optimizers.SGD(1.0))
    before = [part.logits.numpy() for part in model.choice_relaxations]
    added = model._with_penalties([None, None], [part.logits for part in model.choice_relaxations], 1.0)
    for old, part, gradient in zip(before, model.choice_relaxations, added):
        np.testing.assert_array_equal(old, part.logits.numpy())
        assert np.asarray(gradient)[0] < 0  # the first option would be kept


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize(("product", "tolerance"), [("finite_difference", 0.05), ("exact", 1e-3)])
def test_the_second_order_is_the_gradient_through_a_step_of_the_weights(
    product: str, tolerance: float, dropout: float
) -> None:
    class SmoothSpace(TinySpace):
        def convolution(self, size: int, strides: int = 1) -> Any:
            convolution = keras.layers.Conv2D(4, size, strides, padding="same", activation="tanh")
            return keras.Sequential([convolution, keras.layers.Dropout(dropout)])

    model = SearchModel(SmoothSpace(), keras_dha.recipes.darts(order=2, product=product), schedule=SEARCH, seed=0)
    model.compile(keras.optimizers.SGD(0.5))
    parts = keras_dha.roles.partition(model.trainable_variables)
    weights, logits = parts[keras_dha.roles.WEIGHT], parts[keras_dha.roles.ARCHITECTURE]
    train, held_out = ((model.scaling(x / 255.0), y, None) for x, y in ((X[:20], Y[:20]), HELD_OUT))
    before = [v.numpy() for v in weights]
    put_back = model._saved_states()
    loss, *found = model._unrolled(train, held_out, model._passes(weights + logits), weights, logits)
    for variable, value in zip(weights, before):
        np.testing.assert_array_equal(variable, value)

    def loss_of(batch: Any) -> Any:
        return model.loss(batch[1], model.forward(batch[0], training=True)[0])

    with tf.GradientTape() as tape:
        inner = loss_of(train)
    for variable, g in zip(weights, tape.gradient(inner, weights, unconnected_gradients="zero")):
        variable.assign(variable - 0.5 * g)
    with tf.GradientTape() as tape:
        outer = loss_of(held_out)
    gradients = tape.gradient(outer, weights + logits, unconnected_gradients="zero")
    vector, direct = gradients[: len(weights)], gradients[len(weights) :]
    for variable, value in zip(weights, before):
        variable.assign(value)
    put_back()
    with tf.GradientTape() as mixed:
        with tf.GradientTape() as tape:
            inner = loss_of(train)
        first = tape.gradient(inner, weights, unconnected_gradients="zero")
        product = sum(tf.reduce_sum(g * v) for g, v in zip(first, vector))
    assert float(loss) == pytest.approx(float(outer), rel=1e-4)
    for g, d, h in zip(found, direct, mixed.gradient(product, logits, unconnected_gradients="zero")):
        np.testing.assert_allclose(g, d - 0.5 * h, rtol=tolerance, atol=tolerance / 500)
        assert float(tf.reduce_max(tf.abs(0.5 * h))) > 1e-4  # or the test would not see it


@pytest.mark.parametrize("product", ["finite_difference", "exact"])
def test_a_search_of_the_second_order(product: str) -> None:
    model = SearchModel(TinySpace(), keras_dha.recipes.darts(order=2, product=product), schedule=SEARCH, seed=0)
    assert np.isfinite(fit(model)["held_out_loss"]).all()


def test_a_dynamic_schedule_keeps_its_state_in_the_model() -> None:
    schedule = DynamicSchedule(search_fraction=1.0, warmup_fraction=0.0, weight_steps=1.0)
    model = SearchModel(TinySpace(), keras_dha.recipes.darts_prime(), schedule=schedule, seed=0)
    fit(model)
    assert float(model.schedule_state["fisher_trace"].numpy()) > 0
    assert {"fisher_trace", "threshold"} <= {variable.name for variable in model.weights}


@keras.saving.register_keras_serializable(package="tests")
class SharedSpace(TinySpace):
    """Two options of which one is the other's layer with something behind it."""

    def build(self, choose: Any) -> keras.Model:
        inputs = keras.Input(self.input_shape)
        x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
        both = keras.layers.Conv2D(4, 3, padding="same", name="both")
        options = {"plain": lambda: both, "relu": lambda: keras.Sequential([both, keras.layers.ReLU()])}
        x = keras.layers.GlobalAveragePooling2D()(choose.op("edge", options)(x))
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))


@pytest.mark.parametrize("option", [0, 1])
def test_a_layer_of_two_options_is_trained_by_both(option: int) -> None:
    model = search_model(space=SharedSpace(), **OFF, relaxation=OneHotSample())
    model.compile(keras.optimizers.SGD(0.05))
    model.supernet.relaxations["edge"].logits.assign([30.0, -30.0] if option == 0 else [-30.0, 30.0])
    branches = [v for v, *_ in model.supernet.branch_variables() if len(v.shape) == 4]
    before = [v.numpy() for v in branches]
    model.train_on_batch(X[:16], Y[:16])
    assert any(not np.array_equal(v.numpy(), old) for v, old in zip(branches, before))


@keras.saving.register_keras_serializable(package="tests")
class WatchedDecay(WeightDecay):
    """Keeps the vector of weights that it was shown."""

    def log_gradient(self, step: Any) -> Any:
        (self.shown,) = [keras.ops.convert_to_numpy(vector) for vector in step.decayed]
        return super().log_gradient(step)


def test_a_branch_that_rested_did_not_decay() -> None:  # so its weights are no part of the decay's hypergradient
    model = search_model(**PLAIN, augmentation=None, hyperparameters=(WatchedDecay(),), relaxation=OneHotSample())
    model.compile(keras.optimizers.SGD(0.05), run_eagerly=True)
    ran: list[int] = []

    def seen(forward: Any = model.forward) -> Any:
        def watched(inputs: Any, training: Any) -> Any:
            outputs, weights = forward(inputs, training)
            ran.append(int(np.argmax(weights["edge"])))
            return outputs, weights

        return watched

    model.forward = seen()
    model.supernet.relaxations["node"].logits.assign([-30.0, -30.0, 30.0, -30.0])  # what comes through the edge
    model.supernet.relaxations["edge"].logits.assign([0.0, 0.0, -30.0])
    for _ in range(60):
        ran.clear()
        model.train_step({"train": (X[:16], Y[:16]), "held_out": HELD_OUT})
        if len(ran) == 2 and ran[0] != ran[1]:  # trained with one option, measured with the other
            break
    parts = keras_dha.roles.partition(model.trainable_variables)
    kernels = [v for v in parts[keras_dha.roles.WEIGHT] if len(v.shape) > 1]
    ends = np.cumsum([np.prod(v.shape) for v in kernels])[:-1]
    shown = list(zip(kernels, np.split(model.learned[0].shown, ends), strict=True))
    rested = [w for v, w in shown if v.shape == ((3, 3, 4, 4), (1, 1, 4, 4))[ran[1]]]
    assert rested
    assert not any(w.any() for w in rested)
    assert all(w.any() for v, w in shown if v.shape == (3, 3, 1, 4))  # the stem's


def test_a_baseline_follows_measured_losses_only() -> None:
    model = search_model(**PLAIN)
    model.steps.assign(1000)
    model._follow(0.0, False)
    assert float(model.baseline_losses) == 0.0
    model._follow(2.0, True)
    assert float(model.baseline) == 2.0
    model._follow(5.0, False)
    assert (float(model.baseline), float(model.baseline_losses)) == (2.0, 1.0)


def test_what_parts_had_learned_is_taken_over() -> None:
    policy = PairPolicy(("Identity", "Brightness"))
    policy.logits.assign([[1.0, 2.0], [3.0, 4.0]])
    rate = LearningRate(0.05, bounds=(0.005, 0.5))
    rate.assign(0.02)
    model = search_model(augmentation=PairPolicy.from_policy(policy.policy()), hyperparameters=(rate,))
    np.testing.assert_allclose(model.augmentation.probabilities(), policy.probabilities(), rtol=1e-5)
    assert float(model.augmentation.magnitude) == policy.search_magnitude
    assert model.hyperparameters() == pytest.approx({"learning_rate": 0.02})


def test_a_loaded_model_has_its_recipes_optimizers() -> None:
    again = SearchModel.from_config(SearchModel(TinySpace(), keras_dha.recipes.darts()).get_config())
    again.compile()
    expected = keras_dha.recipes.darts().architecture_optimizer()
    assert again.architecture_optimizer.get_config()["learning_rate"] == pytest.approx(float(expected.learning_rate))


def test_xla_is_left_off_unless_it_is_asked_for() -> None:  # Keras turns it on by itself on a GPU
    model = search_model()
    model.compile()
    assert model.jit_compile is False


def test_derive_with_what_keras_cannot_find_by_name() -> None:
    def share(y: Any, y_pred: Any) -> Any:
        return keras.ops.mean(keras.ops.cast(keras.ops.argmax(y_pred, -1) == keras.ops.cast(y, "int32"), "float32"))

    class OwnSGD(keras.optimizers.SGD):
        pass

    model = search_model(**PLAIN, **OFF, decisions={"edge": "conv", "node": "1/skip"})
    metrics = [share, "accuracy", keras.metrics.MeanMetricWrapper(share, name="wrapped")]
    model.compile(OwnSGD(0.02), metrics=metrics)
    derived = model.derive()
    derived.evaluate(X, Y, verbose=0)
    assert isinstance(derived.optimizer, OwnSGD)
    assert derived.optimizer is not model.optimizer


def test_a_search_in_which_the_architecture_had_no_step_is_not_at_rest() -> None:
    from keras_dha.relaxations import SparseCode

    schedule = Schedule(search_fraction=0.9, warmup_fraction=0.0, architecture_every=1000)
    model = search_model(**PLAIN, **OFF, relaxation=SparseCode(tolerance=100.0), schedule=schedule)
    model.compile()
    model.steps.assign(1)
    model.train_on_batch(X[:16], Y[:16])
    assert not model.end_search_epoch()
    assert not any(part.settled for part in model.choice_relaxations)
    model.steps.assign(1000)
    model.train_on_batch(X[:16], Y[:16])
    assert model.end_search_epoch()


def test_both_passes_read_all_of_one_graph() -> None:
    """TensorFlow would make another copy of the gradient graph for a call that leaves outputs unread."""
    model = search_model()
    model.compile()
    data = {"train": (X[:16], Y[:16]), "held_out": (HELD_OUT[0][:16], HELD_OUT[1][:16])}
    model.train_step(data)
    step = tf.function(lambda: model.train_step(data)["loss"], autograph=False)
    graph = step.get_concrete_function().graph.as_graph_def()
    bodies = [([], graph.node), *((function.ret.values(), function.node_def) for function in graph.library.function)]
    called = []
    for returned, nodes in bodies:
        sources = [*returned, *(source for node in nodes for source in node.input)]
        for node in nodes:
            function = node.attr["f"].func.name
            if "differentiate" in function:
                called.append(function)
                read = {source.split(":")[-1] for source in sources if source.split(":")[0] == node.name}
                read = {"0" if index == node.name else index for index in read}  # a graph calls output 0 by the name
                assert read == {str(index) for index in range(len(node.attr["Tout"].list.type))}
    assert len(called) == 2
    assert len(set(called)) == 1
