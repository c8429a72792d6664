import numpy as np
import pytest

from keras_dha.control.smoothing import smoothed


def test_what_is_constant_stays() -> None:
    values = np.ones((7, 2, 3))
    np.testing.assert_allclose(smoothed(values, 5.0), values)


def test_without_deviation_nothing_changes() -> None:
    values = np.arange(3.0)
    assert smoothed(values, 0.0) is values


def test_a_jump_is_spread_by_the_bell() -> None:
    values = np.zeros((41, 1, 1))
    values[20] = 1.0
    found = smoothed(values, 2.0)[:, 0, 0]
    steps = np.arange(-8, 9)
    bell = np.exp(-(steps**2) / 8.0)
    np.testing.assert_allclose(found[12:29], bell / bell.sum())
    assert found.sum() == pytest.approx(1.0)


def test_a_slope_stays_away_from_the_ends() -> None:
    found = smoothed(np.arange(60.0), 3.0)
    np.testing.assert_allclose(found[12:48], np.arange(12.0, 48.0))
    assert found[0] > 0.0


@pytest.mark.parametrize("deviation", [-1.0, np.nan, np.inf])
def test_a_deviation_is_a_number_of_steps(deviation: float) -> None:
    with pytest.raises(ValueError, match=f"Received: deviation={deviation}"):
        smoothed(np.ones(3), deviation)
