"""The contract that every relaxation keeps."""

import importlib
import itertools
import json
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import keras_dha.relaxations as folder
from keras_dha import roles
from keras_dha.relaxations import (
    RELAXATIONS,
    AnnealedScale,
    Clipped,
    DecoupledTopology,
    EdgeSoftmax,
    GumbelSoftmax,
    NormThreshold,
    OneHotSample,
    Relaxation,
    ScaledSigmoid,
    Sigmoid,
    Softmax,
    SparseCode,
    Topology,
)
from keras_dha.spaces import Choice

ONE = Choice("stage/0", ("conv", "pool", "skip"))
NODE = Choice(
    "node", ("0/a", "0/b", "1/a", "1/none", "2/a", "2/b"), keep=2, groups=(0, 0, 1, 1, 2, 2), excluded=("1/none",)
)
TEMPLATES = {
    "softmax": Softmax(seed=1),
    "topology": Topology(seed=1),
    "decoupled": DecoupledTopology(simple=("skip", "pool", "none", "a"), seed=1),
    "edges": EdgeSoftmax(seed=1),
    "clipped": Clipped(seed=1),
    "sigmoid": Sigmoid(seed=1),
    "scaled_sigmoid": ScaledSigmoid(seed=1),
    "threshold": NormThreshold(seed=1),
    "gumbel": GumbelSoftmax(seed=1),
    "hard_gumbel": GumbelSoftmax(hard=True, scale=AnnealedScale(10.0, 0.1), seed=1),
    "score": OneHotSample(seed=1),
    "credit": OneHotSample(estimator="credit", exploration=0.1, seed=1),
    "straight_through": OneHotSample(estimator="straight_through", seed=1),
    "code": SparseCode(seed=1),
    "seldom_drawn_code": SparseCode(exploration=0.5, exploration_rate=0.5, seed=1),
    "lone_code": SparseCode(exploration=0.5, explored="lone", seed=1),
    "drawn_code": SparseCode(exploration=0.5, recovery="released", initial_weight=None, normalize=False, seed=1),
}
COMPETING = {"stage/0": [1, 2], "node": [2, 3]}  # of a group that is no single option
CASES = [pytest.param(t, c, id=f"{n}-{c.keep}") for (n, t), c in itertools.product(TEMPLATES.items(), (ONE, NODE))]


def built(template, choice=ONE):
    relaxation = template.for_choice(choice)
    relaxation.build()
    return relaxation


def subclasses(cls):
    return {cls}.union(*(subclasses(c) for c in cls.__subclasses__()))


def test_every_relaxation_is_listed_and_tested():
    for info in pkgutil.iter_modules(folder.__path__):
        importlib.import_module(f"keras_dha.relaxations.{info.name}")
    ours = {cls for cls in subclasses(Relaxation) - {Relaxation} if cls.__module__.startswith("keras_dha.")}
    assert ours == set(RELAXATIONS), "Add the new class to RELAXATIONS in keras_dha/relaxations/__init__.py."
    assert {type(template) for template in TEMPLATES.values()} == set(RELAXATIONS), "Add it to TEMPLATES here."


@pytest.mark.parametrize(("template", "choice"), CASES)
def test_weights_are_finite_and_sparse_ones_are_as_many_as_kept(template, choice):
    relaxation = built(template, choice)
    for training in (False, True):
        weights = ops.convert_to_numpy(relaxation(relaxation.logits, training=training))
        assert weights.shape == (len(choice.options),)
        assert weights.dtype == np.float32
        assert np.isfinite(weights).all()
        if relaxation.sparse and relaxation.exact:
            kept = np.flatnonzero(weights)
            assert len(kept) == choice.keep
            assert choice.allowed[kept].all()
            assert len({choice.group_numbers[i] for i in kept}) == choice.keep
        if not isinstance(relaxation, SparseCode):
            assert (weights >= 0).all()
            assert (weights <= 1).all()


@pytest.mark.parametrize(("template", "choice"), CASES)
def test_without_training_the_weights_are_those_of_the_hard_answer(template, choice):
    relaxation = built(template, choice)
    relaxation.logits.assign(np.random.default_rng(0).standard_normal(relaxation.logits.shape))
    hard = ops.convert_to_numpy(relaxation.harden(relaxation.logits))
    expected = np.zeros(len(choice.options))
    expected[choice.top(relaxation.scores(relaxation.logits.value).numpy())] = 1
    np.testing.assert_array_equal(hard, expected)
    if relaxation.sparse and relaxation.exact:
        np.testing.assert_array_equal(ops.convert_to_numpy(relaxation(relaxation.logits)) != 0, hard != 0)


@pytest.mark.parametrize(("template", "choice"), CASES)
def test_noise_is_drawn_only_in_training(template, choice):
    relaxation = built(template, choice)
    before = relaxation.seed_generator.state.numpy()
    relaxation(relaxation.logits)
    relaxation.settled_weights(relaxation.logits)
    np.testing.assert_array_equal(before, relaxation.seed_generator.state.numpy())


@pytest.mark.parametrize(("template", "choice"), CASES)
def test_probabilities_are_a_distribution(template, choice):
    relaxation = built(template, choice)
    for _ in range(2):
        p = ops.convert_to_numpy(relaxation.probabilities(relaxation.logits))
        assert (p >= 0).all()
        assert p.sum() == pytest.approx(1, abs=1e-6)
        relaxation.freeze()


@pytest.mark.parametrize(("template", "choice"), CASES)
def test_a_gradient_reaches_every_logit_at_the_start_and_none_when_frozen(template, choice):
    relaxation = built(template, choice)
    # Excluded options are never drawn, so their logits get a gradient only where all options run.
    reached = choice.allowed if relaxation.logits.shape == choice.allowed.shape else True
    if isinstance(relaxation, DecoupledTopology):  # operations first, and only where they compete
        reached = np.isin(np.arange(relaxation.logits.shape[0]), COMPETING[choice.name])
    slopes = np.arange(1.0, len(choice.options) + 1) ** 3

    def gradient():
        with tf.GradientTape() as tape:
            weights = relaxation(relaxation.logits, training=True)
            loss = ops.sum(slopes * weights) + 3.0 * relaxation.log_probability(relaxation.logits, weights)
        return ops.convert_to_numpy(tape.gradient(loss, relaxation.logits.value))

    first = [gradient() for _ in range(10)]
    assert (np.abs(first).sum(axis=0)[reached] > 0).all()
    relaxation.freeze()
    np.testing.assert_array_equal(gradient(), np.zeros(relaxation.logits.shape))


@pytest.mark.parametrize(("template", "choice"), CASES)
def test_config_survives_json_and_gives_the_same_relaxation(template, choice):
    relaxation = template.for_choice(choice)
    config = keras.saving.serialize_keras_object(relaxation)
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
    assert again.get_config() == relaxation.get_config()
    assert again.choice == choice
    relaxation.build()
    again.build()
    for a, b in zip(relaxation.variables, again.variables):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(("template", "choice"), CASES)
def test_all_state_survives_save_weights(template, choice, tmp_path):
    def model(relaxation):
        class Holder(keras.Model):
            def __init__(self):
                super().__init__()
                self.relaxation = relaxation
                self.built = True

        return Holder()

    relaxation = built(template, choice)
    relaxation(relaxation.logits, training=True)
    relaxation.step()
    relaxation.logits.assign_add(ops.ones_like(relaxation.logits))
    relaxation.on_epoch_end()
    relaxation.freeze()
    model(relaxation).save_weights(tmp_path / "w.weights.h5")
    again = built(template, choice)
    model(again).load_weights(tmp_path / "w.weights.h5")
    assert again.settled
    for a, b in zip(relaxation.variables, again.variables):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_loading_another_class_s_variables_fails_with_their_number():
    with pytest.raises(ValueError, match="Received: 1 variables"):
        built(Softmax()).load_own_variables({"0": np.zeros(3)})


@pytest.mark.parametrize(("template", "choice"), CASES)
def test_only_the_logits_are_trained_and_they_say_by_whom(template, choice):
    relaxation = built(template, choice)
    assert relaxation.trainable_variables == [relaxation.logits]
    assert roles.role_of(relaxation.logits) == roles.ARCHITECTURE
    assert relaxation.logits.name == "logits"


def test_an_outer_layer_s_mixed_precision_does_not_round_the_logits():
    class Outer(keras.layers.Layer):
        def __init__(self):
            super().__init__(dtype="mixed_float16")
            self.relaxation = built(Softmax())

        def call(self, x):
            return self.relaxation(self.relaxation.logits)

    outer = Outer()
    outer.relaxation.logits.assign([0.0, 1e-5, 0.0])
    weights = outer(np.zeros(1))
    assert weights.dtype == "float32"
    assert float(weights[1]) > float(weights[0])


def test_clones_have_their_own_seed_name_and_logits():
    template = OneHotSample(seed=3)
    clones = [template.for_choice(choice) for choice in (ONE, NODE, ONE)]
    assert [clone.name for clone in clones[:2]] == ["relaxation_stage.0", "relaxation_node"]
    assert clones[0].seed == clones[2].seed
    assert len({template.seed, clones[0].seed, clones[1].seed}) == 3
    assert OneHotSample(seed=4).for_choice(ONE).seed != clones[0].seed


def test_without_a_seed_keras_s_global_seed_decides():
    seeds = [OneHotSample().seed for _ in range(2)]
    keras.utils.set_random_seed(0)
    assert OneHotSample().seed == seeds[0] != seeds[1]


def test_a_schedule_of_the_search_step_moves_the_scale():
    schedule = keras.optimizers.schedules.PolynomialDecay(1.0, decay_steps=2, end_learning_rate=3.0)
    relaxation = built(Softmax(scale=schedule))
    step = tf.function(relaxation.step)
    scales = []
    for _ in range(3):
        p = relaxation(np.array([0.0, 1.0, 0.0])).numpy()
        scales.append(float(np.log(p[1] / p[0])))
        step()
    assert scales == pytest.approx([1.0, 2.0, 3.0])
    again = Softmax.from_config(json.loads(json.dumps(relaxation.get_config())))
    assert again.get_config() == relaxation.get_config()


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_two_replicas_agree_and_count_steps_once(template):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice())
    with strategy.scope():
        relaxation = built(template, NODE)

    @tf.function
    def step():
        def replica():
            relaxation.step()
            return ops.convert_to_tensor(relaxation(relaxation.logits, training=True))

        return strategy.run(replica)

    with strategy.scope():
        for _ in range(3):
            first, second = step().values
            np.testing.assert_array_equal(first, second)
        relaxation.on_epoch_end()
        relaxation.freeze()
    assert int(relaxation.search_step.numpy()) == 3
    assert relaxation.settled


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="Received: scale=0"):
        Softmax(scale=0)
    with pytest.raises(ValueError, match="Received: seed=-1"):
        Softmax(seed=-1)
    with pytest.raises(ValueError, match="Received: choice=None"):
        Softmax().build()


@pytest.mark.parametrize("kind", [Softmax, OneHotSample])
def test_the_capacity_prior_is_where_scaled_logits_start(kind) -> None:
    relaxation = kind(scale=2.0, capacity_prior=3.0).for_choice(Choice("edge", ("conv", "skip")), [10, 0])
    relaxation.build()
    assert relaxation.logits.numpy().tolist() == [1.5, 0.0]
    again = kind.from_config(relaxation.get_config())
    again.build()
    assert again.logits.numpy().tolist() == [1.5, 0.0]


def test_a_negative_capacity_prior_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity_prior=-1"):
        Softmax(capacity_prior=-1.0)
