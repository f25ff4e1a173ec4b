"""The one exception for what a user can mend."""


class InputError(ValueError):
    """Wrong input: a message of one line that names the culprit and the mend. The command line prints it
    without a traceback and exits with 2."""
