"""`python -m keras_dha`."""

import sys

from keras_dha.cli import main

if __name__ == "__main__":
    sys.exit(main())
