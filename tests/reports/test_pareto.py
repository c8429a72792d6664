from keras_dha.reports import on_front, pareto_figure, render_pareto

POINTS = [
    {"share": 0.5, "accuracy": 0.8, "measured_ms": 1.0, "parameters": 2000},
    {"share": 0.75, "accuracy": 0.75, "measured_ms": 2.0, "parameters": 1000},
    {"share": 1.0, "accuracy": 0.9, "measured_ms": 3.0, "parameters": 3000},
]


def test_a_point_is_on_the_front_if_no_other_is_better_in_both():
    assert on_front(POINTS, "measured_ms") == [True, False, True]
    assert on_front(POINTS, "parameters") == [True, True, True]
    assert on_front([POINTS[0], POINTS[0]], "parameters") == [True, True]


def test_the_picture_has_a_panel_for_each_of_two_costs():
    figure = pareto_figure(POINTS)
    assert [axis.get_xlabel() for axis in figure.axes] == ["milliseconds, measured", "thousand parameters"]
    filled = [line.get_markerfacecolor() for line in figure.axes[0].lines[1:]]
    assert filled[0] == filled[2] != filled[1] == "white"


def test_without_points_there_is_no_picture_and_still_a_page():
    assert pareto_figure([]) is None
    assert "Pareto set" in render_pareto({})


def test_what_comes_from_the_user_is_escaped():
    assert "<script" not in render_pareto({"data": {"name": "<script>"}, "command": "<script>"})
