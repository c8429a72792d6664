"""When each role is updated, and when the search ends."""

from keras_dha.schedules.dynamic_schedule import DynamicSchedule
from keras_dha.schedules.schedule import Schedule

__all__ = ["DynamicSchedule", "Schedule"]
