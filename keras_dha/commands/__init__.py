"""What the command line does; imported late, because it loads Keras and TensorFlow."""

from keras_dha.commands.defaults import SPACES, defaults_for
from keras_dha.commands.errors import CommandError, CommandInterrupted
from keras_dha.commands.options import SearchOptions

__all__ = ["SPACES", "CommandError", "CommandInterrupted", "SearchOptions", "defaults_for"]
