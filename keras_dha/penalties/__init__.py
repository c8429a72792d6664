"""What is added to the loss that the architecture descends: one penalty a file. A new one is added to `PENALTIES`."""

from keras_dha.penalties.admm import ADMM
from keras_dha.penalties.budget import Budget
from keras_dha.penalties.cost_target import CostTarget
from keras_dha.penalties.expected_cost import ExpectedCost
from keras_dha.penalties.log_cost import LogCost
from keras_dha.penalties.open_channels import OpenChannels
from keras_dha.penalties.passive_aggressive import PassiveAggressive
from keras_dha.penalties.penalty import Penalty
from keras_dha.penalties.proximity import Proximity
from keras_dha.penalties.zero_one import ZeroOne

PENALTIES: tuple[type[Penalty], ...] = (
    ADMM,
    Budget,
    CostTarget,
    ExpectedCost,
    LogCost,
    OpenChannels,
    PassiveAggressive,
    Proximity,
    ZeroOne,
)

__all__ = [
    "ADMM",
    "Budget",
    "CostTarget",
    "ExpectedCost",
    "LogCost",
    "OpenChannels",
    "PassiveAggressive",
    "Penalty",
    "Proximity",
    "ZeroOne",
]
