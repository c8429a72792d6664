"""Gates that are trained side by side, against the same gates in a plain Keras model that sees the rows."""

import keras
import numpy as np
import pytest

from keras_dha.evaluation import GateSelector, selection_robustness, sparse_problem
from keras_dha.evaluation.gated_tables import _least_squares
from keras_dha.evaluation.selector import with_poison
from keras_dha.layers import ChannelGate

STEPS, WEIGHT = 50, 0.02


@pytest.fixture(scope="module")
def selector() -> GateSelector:
    return GateSelector(weight=WEIGHT, num_steps=STEPS, copies=16)


@pytest.fixture(scope="module")
def table() -> tuple[np.ndarray, np.ndarray]:
    problem = sparse_problem(300, 13, num_relevant=2, seed=0)
    return problem.x[:, :-1], problem.y


def plain_gates(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Open gates of a linear model that is fitted to the rows themselves, its weights by least squares."""
    inputs = keras.Input(x.shape[1:])
    gate, dense = ChannelGate(STEPS, weight=WEIGHT), keras.layers.Dense(1)
    model = keras.Model(inputs, dense(gate(inputs)))
    wide = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    weights = np.linalg.lstsq(wide, y, rcond=None)[0]
    dense.set_weights([weights[:-1, None], weights[-1:]])
    dense.trainable = False
    falling = keras.optimizers.schedules.ExponentialDecay(0.05, STEPS, 1e-4)
    model.compile(keras.optimizers.Adam(falling), "mse", steps_per_execution=STEPS, jit_compile=False)
    batches = np.tile(x, (STEPS, 1)), np.tile(y[:, None], (STEPS, 1))  # the whole table in each step
    model.fit(*batches, batch_size=len(x), shuffle=False, verbose=0)
    return gate.open_channels()


def test_the_support_is_what_matters(selector: GateSelector, table: tuple[np.ndarray, np.ndarray]) -> None:
    np.testing.assert_array_equal(np.flatnonzero(selector.support(*table)), [0, 1])


@pytest.mark.parametrize("rows", [5, 40])
def test_many_tables_at_once_say_what_a_model_of_the_rows_says(
    selector: GateSelector, table: tuple[np.ndarray, np.ndarray], rows: int
) -> None:
    target = 7
    plain = plain_gates(*with_poison(*table, target, rows, 1.0))
    gates = selector._open(*table, np.array([3, target]), np.array([9, rows]), 1.0)
    np.testing.assert_array_equal(gates[1], plain)
    assert plain[target] == (rows == 40)


def test_tables_do_not_see_each_other(selector: GateSelector, table: tuple[np.ndarray, np.ndarray]) -> None:
    targets, rows = np.arange(2, 12).repeat(2), np.tile([10, 30], 10)  # 20 tables, in two lots of 16
    together = selector.poisoned(*table, targets=targets, rows=rows, label=1.0)
    alone = [
        selector.poisoned(*table, targets=targets[i : i + 1], rows=rows[i : i + 1], label=1.0)[0] for i in (0, 7, 19)
    ]
    np.testing.assert_array_equal(together[[0, 7, 19]], alone)
    assert together.any()
    assert not together.all()


def test_more_rows_never_close_a_gate(selector: GateSelector, table: tuple[np.ndarray, np.ndarray]) -> None:
    rows = np.arange(0, 64, 2)
    for target in (4, 9):
        taken = selector.poisoned(*table, targets=np.full(len(rows), target), rows=rows, label=1.0)
        assert (np.diff(taken.astype(int)) >= 0).all()
        assert taken[-1]


def test_oblivious_fails_with_what_aware_succeeds_with() -> None:
    problem = sparse_problem(500, 56, seed=1)
    found = selection_robustness(GateSelector(num_steps=STEPS, copies=50), problem.x[:, :-1], problem.y)
    assert found.aware is not None
    assert found.curve([found.aware])["oblivious"][0] <= 0.05  # at most two of 50
    assert (found.gap() or 0) > 0


def test_a_column_of_zeros_is_cheap(selector: GateSelector, table: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = table[0].copy(), table[1]
    x[:, -1] = 0.0
    found = selection_robustness(selector, x, y, "oblivious", targets=[5, 11])
    assert found.rows[1] is not None
    assert found.rows[0] is not None
    assert found.rows[1] < found.rows[0] / 2  # least squares gives it a weight of 1 after one row


def test_least_squares_of_a_table_with_rows_is_that_of_the_rows(table: tuple[np.ndarray, np.ndarray]) -> None:
    weights, intercepts = _least_squares(*table, np.array([3, 5]), np.array([0, 6]), label=-1.0, ridge=1e-9)
    for i, (target, rows) in enumerate([(3, 0), (5, 6)]):
        x, y = with_poison(*table, target, rows, -1.0)
        expected = np.linalg.lstsq(np.concatenate([x, np.ones((len(x), 1))], axis=1), y, rcond=None)[0]
        np.testing.assert_allclose([*weights[i], intercepts[i]], expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("argument", "value"), [("weight", 0.0), ("num_steps", 9), ("ridge", 0.0), ("copies", 0)])
def test_what_is_out_of_range_is_refused(argument: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{argument}={value}"):
        GateSelector(**{argument: value})
