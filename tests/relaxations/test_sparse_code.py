import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_dha.relaxations import SparseCode
from keras_dha.relaxations.lasso import lasso
from keras_dha.spaces import Choice

NODE = Choice(
    "node", tuple(f"{i}/{k}" for i in range(4) for k in range(7)), keep=2, groups=tuple(np.repeat(range(4), 7))
)
FREE = Choice("free", tuple("abcdefghijklmn"), keep=2)


def built(choice=FREE, **arguments):
    relaxation = SparseCode(**{"seed": 0, **arguments}).for_choice(choice)
    relaxation.build()
    return relaxation


def parts(relaxation):
    """A, b, z in float64, and the support."""
    values = (relaxation.measurements, relaxation.logits, relaxation.recovered)
    matrix, code, z = (value.numpy().astype("float64") for value in values)
    return matrix, code, z, np.flatnonzero(ops.convert_to_numpy(relaxation.harden(relaxation.logits)))


@pytest.mark.parametrize("choice", [FREE, NODE], ids=["free", "node"])
@pytest.mark.parametrize("arguments", [{}, {"initial_weight": None, "normalize": False}], ids=["ours", "released"])
def test_forward_weights_are_the_formula_and_the_identity(choice, arguments):  # B1, B3
    relaxation = built(choice, **arguments)
    matrix, code, z, kept = parts(relaxation)
    weights = ops.convert_to_numpy(relaxation(code))
    inner = matrix.T @ matrix - np.eye(len(z))
    np.testing.assert_allclose(
        weights[kept], matrix[:, kept].T @ code - inner[np.ix_(kept, kept)] @ z[kept], atol=1e-12
    )
    left = code - matrix[:, kept] @ z[kept]
    np.testing.assert_allclose(weights[kept], z[kept] + matrix[:, kept].T @ left, atol=1e-12)
    assert np.count_nonzero(weights) == len(kept) == 2


def test_weights_are_the_recovered_ones_if_the_code_is_explained():
    relaxation = built(Choice("c", ("a", "b")), num_measurements=3)
    relaxation.logits.assign(relaxation.measurements.numpy() @ [0.0, 2.0])
    relaxation.on_epoch_end()
    np.testing.assert_allclose(relaxation.recovered.numpy(), [0, 2], atol=1e-4)
    np.testing.assert_allclose(relaxation(relaxation.logits), [0, 2], atol=1e-4)


def test_gradient_of_the_code():  # B4
    relaxation = built(NODE)
    matrix, code, _, kept = parts(relaxation)
    slopes, variable = np.arange(1.0, 29.0), tf.Variable(code)
    with tf.GradientTape() as tape:
        loss = ops.sum(slopes * relaxation(variable, training=True) ** 2)
    gradient = tape.gradient(loss, variable).numpy()
    d_weights = 2 * slopes * ops.convert_to_numpy(relaxation(code))
    np.testing.assert_allclose(gradient, matrix[:, kept] @ d_weights[kept], rtol=1e-10)
    shift = 1e-6 * np.eye(7)
    loss = lambda b: np.sum(slopes * ops.convert_to_numpy(relaxation(b)) ** 2)  # noqa: E731
    differences = [(loss(code + e) - loss(code - e)) / 2e-6 for e in shift]
    np.testing.assert_allclose(gradient, differences, rtol=1e-6)


def test_the_recovered_vector_is_the_lasso_s_and_the_support_respects_groups():
    relaxation = built(NODE)
    matrix, code, z, kept = parts(relaxation)
    np.testing.assert_allclose(z, lasso(matrix, code, 1e-5), atol=1e-6)
    np.testing.assert_array_equal(kept, NODE.top(np.abs(z)))
    assert len({NODE.group_numbers[i] for i in kept}) == 2


def test_released_recovery_has_an_intercept_and_ranks_with_the_sign():
    linear_model = pytest.importorskip("sklearn.linear_model")
    relaxation = built(NODE, recovery="released", initial_weight=None, normalize=False)
    matrix, code, z, kept = parts(relaxation)
    other = linear_model.Lasso(alpha=1e-5, tol=1e-14, max_iter=1_000_000).fit(matrix, code)
    np.testing.assert_allclose(z, other.coef_, atol=1e-7)
    np.testing.assert_array_equal(kept, NODE.top(z))


def test_columns_and_start():
    ours, released = built(NODE), built(NODE, initial_weight=None, normalize=False)
    np.testing.assert_allclose(np.linalg.norm(ours.measurements.numpy(), axis=0), 1, rtol=1e-6)
    assert 0 < released.measurements.numpy().min() < released.measurements.numpy().max() < 1
    assert np.abs(released.logits.numpy()).max() < 5e-3
    np.testing.assert_allclose(ours.logits.numpy() @ ours.measurements.numpy(), 1, atol=0.3)
    # With no more options than measurements all branches start with that weight, up to the released noise.
    few = built(Choice("c", ("a", "b", "c")), initial_weight=0.5)
    np.testing.assert_allclose(few.logits.numpy() @ few.measurements.numpy(), 0.5, atol=5e-3)


def test_the_support_moves_only_between_epochs():
    relaxation = built()
    before = ops.convert_to_numpy(relaxation.harden(relaxation.logits))
    other = (int(np.argmax(before)) + 1) % len(before)
    relaxation.logits.assign(5 * relaxation.measurements.numpy()[:, other])
    np.testing.assert_array_equal(relaxation.harden(relaxation.logits), before)
    relaxation.on_epoch_end()
    assert float(relaxation.harden(relaxation.logits)[other]) == 1
    assert not relaxation.settled  # z moved by about 5


def test_a_code_that_hardly_moved_is_frozen_and_then_stays():  # B5, B8
    relaxation = built(exploration=0.5)
    assert not relaxation.settled  # never at the initial recovery
    relaxation.on_epoch_end()
    assert relaxation.settled
    before = [value.numpy() for value in (relaxation.recovered, relaxation.frozen)]
    weights = ops.convert_to_numpy(relaxation(relaxation.logits))
    relaxation.on_epoch_end()
    for old, value in zip(before, (relaxation.recovered, relaxation.frozen)):
        np.testing.assert_array_equal(value.numpy(), old)
    np.testing.assert_array_equal(relaxation(relaxation.logits, training=True), weights)  # nothing is drawn any more
    assert float(relaxation.log_probability(relaxation.logits, weights)) == 0.0


def test_a_tolerance_of_zero_freezes_only_a_code_that_stands_still():
    relaxation = built(tolerance=0.0)
    relaxation.logits.assign_add(1e-3 * np.arange(7.0))
    relaxation.on_epoch_end()
    assert not relaxation.settled
    for _ in range(2):  # float32 rounding of the vector stored first
        relaxation.recovered.assign(relaxation.recover())
    assert np.linalg.norm(relaxation.recover() - relaxation.recovered.numpy()) < 1e-6


def test_settled_weights_are_the_weights_as_constants():
    relaxation = built(exploration=1.0)
    with tf.GradientTape() as tape:
        settled = relaxation.settled_weights(relaxation.logits)
    np.testing.assert_array_equal(settled, relaxation(relaxation.logits))
    assert tape.gradient(settled, relaxation.logits.value) is None


def test_exploration_draws_supports_in_proportion_to_the_branches_weights():
    relaxation = built(Choice("c", ("a", "b")), exploration=0.5, num_measurements=2, scale=1.0)
    relaxation.measurements.assign(np.eye(2))
    relaxation.logits.assign([0.0, 0.5 * np.log(3)])  # softmax of (0, log 3)
    np.testing.assert_allclose(relaxation.probabilities(relaxation.logits), [0.25, 0.75], rtol=1e-6)
    drawn = np.array([relaxation(relaxation.logits, training=True).numpy() for _ in range(400)])
    # 400 draws: off by 0.11, more than 5 standard deviations, less than once in a million runs.
    assert np.mean(drawn[:, 1] != 0) == pytest.approx(0.75, abs=0.11)
    weights = ops.convert_to_tensor([0.0, -0.2])
    with tf.GradientTape() as tape:
        value = relaxation.log_probability(relaxation.logits, weights)
    assert float(value) == pytest.approx(np.log(0.75), rel=1e-5)
    np.testing.assert_allclose(tape.gradient(value, relaxation.logits.value), [-0.5, 0.5], rtol=1e-5)  # (1 - p) / 0.5


def test_only_a_share_of_the_calls_draws_and_the_others_take_the_likeliest():
    arguments = {"exploration": 0.5, "exploration_rate": 0.4, "num_measurements": 2}
    relaxation = built(Choice("c", ("a", "b")), **arguments)
    relaxation.measurements.assign(np.eye(2))
    relaxation.logits.assign([0.0, 0.5 * np.log(3)])  # softmax of (0, log 3)
    drawn = np.array([relaxation(relaxation.logits, training=True).numpy() for _ in range(400)])
    # 400 draws: off by 0.08, more than 5 standard deviations, less than once in a million runs.
    assert np.mean(drawn[:, 0] != 0) == pytest.approx(0.4 * 0.25, abs=0.08)
    logits = relaxation.logits.value
    for weights, probability, factor in (([0.5, 0.0], 0.1, 1.0), ([0.0, 0.5], 0.9, 0.3 / 0.9)):
        with tf.GradientTape() as tape:
            value = relaxation.log_probability(relaxation.logits, ops.convert_to_tensor(weights))
        assert float(value) == pytest.approx(np.log(probability), rel=1e-5)
        # The gradient of log softmax, divided by the temperature, times the share of the drawn in this option.
        kept = (np.array(weights) > 0).astype(float)
        np.testing.assert_allclose(tape.gradient(value, logits), factor * (kept - [0.25, 0.75]) / 0.5, rtol=1e-5)


def test_without_exploration_training_draws_nothing():
    relaxation = built()
    np.testing.assert_array_equal(
        relaxation(relaxation.logits, training=True), relaxation(relaxation.logits, training=False)
    )
    assert float(relaxation.log_probability(relaxation.logits, relaxation(relaxation.logits))) == 0.0
    z = np.abs(relaxation.recovered.numpy())
    np.testing.assert_allclose(relaxation.probabilities(relaxation.logits), z / z.sum(), rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        ({"num_measurements": 0}, "num_measurements=0"),
        ({"l1": 0.0}, "num_measurements=7, l1=0.0"),
        ({"tolerance": -1.0}, "num_measurements=7, l1=1e-05, tolerance=-1.0"),
        ({"exploration": -0.1}, "exploration=-0.1"),
        ({"exploration_rate": 0.0}, "exploration_rate=0.0"),
        ({"explored": "some"}, "explored='some'"),
        ({"recovery": "mosek"}, "recovery='mosek'"),
    ],
)
def test_wrong_arguments_are_named(arguments, received):
    with pytest.raises(ValueError, match=f"Received: {received}"):
        SparseCode(**arguments)


def test_too_many_options_to_draw():
    choice = Choice("c", tuple("abcdefgh"), keep=7)
    built(choice)
    with pytest.raises(ValueError, match="Received: keep=7"):
        built(choice, exploration=0.5)


def test_weights_of_a_drawn_support_are_exactly_one() -> None:
    relaxation = SparseCode(exploration=0.25, seed=0).for_choice(Choice("edge", ("a", "b", "c")))
    relaxation.build()
    for _ in range(5):
        weights = np.sort(relaxation(relaxation.logits, training=True).numpy())
        assert weights.tolist() == [0.0, 0.0, 1.0]
    assert set(relaxation.settled_weights(relaxation.logits).numpy().tolist()) == {0.0, 1.0}


def test_the_largest_option_leads_at_the_start_by_the_capacity_prior() -> None:
    template = SparseCode(exploration=0.25, capacity_prior=2.0, seed=0)
    relaxation = template.for_choice(Choice("edge", ("conv", "small", "skip")), [100, 50, 0])
    relaxation.build()
    expected = np.exp([2.0, 1.0, 0.0]) / np.exp([2.0, 1.0, 0.0]).sum()
    # The code starts at the least-squares solution, with noise of 1e-3 an entry.
    np.testing.assert_allclose(relaxation.probabilities(relaxation.logits).numpy(), expected, atol=0.02)


def test_lone_options_are_drawn_where_only_they_are_explored():
    lone, pair = (
        built(choice, exploration=0.25, explored="lone") for choice in (Choice("edge", ("a", "b", "c")), FREE)
    )
    drawn = {int(np.argmax(lone(lone.logits, training=True))) for _ in range(40)}
    assert drawn == {0, 1, 2}
    assert not any(relaxation.keeps_zero(relaxation.choice) for relaxation in (lone, pair))
    _, code, _, kept = parts(pair)
    np.testing.assert_array_equal(np.flatnonzero(pair(pair.logits, training=True)), kept)
    np.testing.assert_array_equal(pair(code, training=True), built(FREE)(code))
    assert pair.log_probability(pair.logits, pair(pair.logits, training=True)) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_a_lone_option_is_left_for_a_better_one(seed):
    losses = np.array([1.0, 0.2, 0.9], "float32")
    relaxation = SparseCode(exploration=0.25, explored="lone", seed=seed).for_choice(Choice("edge", ("a", "b", "c")))
    relaxation.build()
    optimizer = keras.optimizers.Adam(0.02)
    optimizer.build([relaxation.logits])

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            weights = relaxation(relaxation.logits, training=True)
            # As behind a batch normalization: the weight of what runs does not matter, only which it is.
            loss = tf.reduce_sum(losses * weights) - losses.mean()
            objective = loss * relaxation.log_probability(relaxation.logits, weights)
        optimizer.apply(tape.gradient(objective, [relaxation.logits.value]))

    for _ in range(300):
        step()
    np.testing.assert_array_equal(relaxation.harden(relaxation.logits), [0, 1, 0])
