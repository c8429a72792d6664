"""Pictures of a search, and the HTML report."""

from keras_dha.reports.architecture import architecture_figure
from keras_dha.reports.curves import entropy_curves, learning_curves, rate_curves
from keras_dha.reports.evaluation import accuracy_boxes, random_search_curve, render_evaluation
from keras_dha.reports.figure import ReportUnavailableError
from keras_dha.reports.page import render, write_report
from keras_dha.reports.pareto import on_front, pareto_figure, render_pareto
from keras_dha.reports.policy import policy_maps
from keras_dha.reports.probabilities import probability_bars
from keras_dha.reports.run_record import RunRecord
from keras_dha.reports.samples import contact_sheet, policy_sheet

__all__ = [
    "ReportUnavailableError",
    "RunRecord",
    "accuracy_boxes",
    "architecture_figure",
    "contact_sheet",
    "entropy_curves",
    "learning_curves",
    "on_front",
    "pareto_figure",
    "policy_maps",
    "policy_sheet",
    "probability_bars",
    "random_search_curve",
    "rate_curves",
    "render",
    "render_evaluation",
    "render_pareto",
    "write_report",
]
