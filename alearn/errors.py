"""The exceptions that are meant for the user."""


class AlearnError(Exception):
    """Something that the user can mend: shown as its message alone, never as a traceback.

    The message names the key, file or round, the value, and what is allowed or what to do next.
    """


class WaitingError(Exception):
    """Nothing is wrong, but answers of people are missing; the message says how many, where they go, what then."""
