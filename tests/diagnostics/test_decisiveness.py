import numpy as np
import pytest

from keras_dha import diagnostics


def test_entropy_of_a_fair_coin_is_ln_2():
    assert diagnostics.entropy([0.5, 0.5]) == pytest.approx(np.log(2))


def test_entropy_of_a_certain_answer_is_0():
    assert diagnostics.entropy([0.0, 1.0, 0.0]) == 0.0


def test_entropy_of_a_uniform_matrix_is_the_log_of_its_size():
    assert diagnostics.entropy(np.full((14, 14), 1 / 196)) == pytest.approx(np.log(196))


@pytest.mark.parametrize("wrong", [[], [0.5, 0.6], [-0.5, 1.5], [np.nan, 1.0]])
def test_entropy_refuses_what_is_no_distribution(wrong):
    with pytest.raises(ValueError, match="Received: probabilities="):
        diagnostics.entropy(wrong)


def test_normalized_entropy_runs_from_0_to_1():
    assert diagnostics.normalized_entropy([0.25] * 4) == pytest.approx(1.0)
    assert diagnostics.normalized_entropy([1.0, 0.0]) == 0.0
    assert diagnostics.normalized_entropy([1.0]) == 0.0


def test_mean_normalized_entropy_weighs_choices_equally():
    undecided, decided = {"a": 0.5, "b": 0.5}, {"a": 1.0, "b": 0.0, "c": 0.0}
    assert diagnostics.mean_normalized_entropy({"x": undecided, "y": decided}) == pytest.approx(0.5)
    assert diagnostics.mean_normalized_entropy({}) == 0.0


def test_operation_counts_leave_the_input_number_out():
    kept = {"node_0": ("0/conv", "1/skip"), "node_1": ("2/conv",), "edge": ("none",)}
    assert list(diagnostics.operation_counts(kept).items()) == [("conv", 2), ("none", 1), ("skip", 1)]


def test_share_of_skips():
    kept = {"a": ("skip_connect",), "b": ("0/skip", "1/conv3"), "c": ("None",)}
    assert diagnostics.share_of(kept, diagnostics.SKIP_WORDS) == 0.5
    assert diagnostics.share_of(kept, diagnostics.NONE_WORDS) == 0.25
    assert diagnostics.share_of({}, diagnostics.SKIP_WORDS) == 0.0
