import json

import pytest

from keras_dha.evaluation import PoisonBudgets


def budgets(rows=(5, 2, None, 9), blind=(5, 6, None, 9), mode="aware", num_rows=100) -> PoisonBudgets:
    return PoisonBudgets(mode, num_rows, 10, (3, 4, 5, 7), tuple(rows), tuple(blind), (1.0, -1.0, 1.0, 1.0))


def test_the_aware_attacker_takes_the_cheapest_feature() -> None:
    assert (budgets().aware, budgets().cheapest) == (2, 4)


@pytest.mark.parametrize(("quantile", "rows"), [(0.01, 5), (0.25, 5), (0.5, 6), (0.75, 9), (0.76, None), (1.0, None)])
def test_quantiles_are_budgets_with_that_chance(quantile: float, rows: int | None) -> None:
    assert budgets().oblivious(quantile) == rows


def test_the_gap_is_what_seeing_the_table_saves() -> None:
    assert budgets().gap() == 4
    assert budgets().gap(1.0) is None


@pytest.mark.parametrize(("mode", "rows"), [("aware", 2), ("oblivious", 6)])
def test_the_mode_says_whose_rows_are_the_stability(mode: str, rows: int) -> None:
    assert budgets(mode=mode).stability == rows
    assert budgets(mode=mode).share == rows / 100


def test_curves_count_who_succeeds() -> None:
    curve = budgets().curve([0, 2, 5, 10])
    assert curve == {
        "budgets": [0.0, 2.0, 5.0, 10.0],
        "aware": [0.0, 1.0, 1.0, 1.0],
        "oblivious": [0.0, 0.0, 0.25, 0.75],
    }


def test_without_budgets_a_curve_has_all_steps() -> None:
    assert budgets().curve()["budgets"] == [0, 2, 5, 6, 9]


@pytest.mark.parametrize("wrong", [-1, 11])
def test_a_budget_that_was_not_tried_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match=rf"max_rows=10. Received: budgets=\[{wrong}\]"):
        budgets().curve([wrong])


@pytest.mark.parametrize("wrong", [0.0, 1.1])
def test_a_quantile_out_of_range_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match=f"Received: quantile={wrong}"):
        budgets().oblivious(wrong)


def test_nothing_that_came_in_is_said_so() -> None:
    none = budgets(rows=[None] * 4, blind=[None] * 4)
    assert (none.aware, none.cheapest, none.share, none.gap()) == (None, None, None, None)
    assert "No feature that was left out came in with up to 10 added rows, 10.0% of the table" in none.advice()


@pytest.mark.parametrize(
    ("num_rows", "words"),
    [(1000, "a double entry"), (100, "one careless or hostile source"), (10, "by counting where rows come from")],
)
def test_advice_says_what_the_share_means(num_rows: int, words: str) -> None:
    advice = budgets(num_rows=num_rows).advice()
    assert words in advice
    assert "needs 2 rows" in advice
    assert "with y = -1, to have feature 4 taken" in advice


def test_advice_says_what_secrecy_is_worth() -> None:
    assert "Keeping the table secret helps: seeing it lowers the price to 33%" in budgets().advice()
    assert "helps little" in budgets(rows=(5, 6, None, 9)).advice()
    assert "does not see it fails for half of the features even with 10 rows" in budgets(blind=[None] * 4).advice()


def test_all_of_it_is_json() -> None:
    data = json.loads(json.dumps(budgets().to_dict()))
    assert data["aware"] == 2
    assert data["oblivious"] == {"0.05": 5, "0.25": 5, "0.5": 6, "0.75": 9, "0.95": None}
    assert data["rows"] == [5, 2, None, 9]
    assert data["advice"] == budgets().advice()
