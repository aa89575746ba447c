"""The one exception that is meant for the user."""


class AlearnError(Exception):
    """Something that the user can mend: shown as its message alone, never as a traceback.

    The message names the key, file or round, the value, and what is allowed or what to do next.
    """
