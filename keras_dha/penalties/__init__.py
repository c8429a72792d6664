"""What is added to the loss that the architecture descends: one penalty a file. A new one is added to `PENALTIES`."""

from keras_dha.penalties.admm import ADMM
from keras_dha.penalties.passive_aggressive import PassiveAggressive
from keras_dha.penalties.penalty import Penalty
from keras_dha.penalties.proximity import Proximity
from keras_dha.penalties.zero_one import ZeroOne

PENALTIES: tuple[type[Penalty], ...] = (ADMM, PassiveAggressive, Proximity, ZeroOne)

__all__ = ["ADMM", "PassiveAggressive", "Penalty", "Proximity", "ZeroOne"]
