"""The one exception that speaks to the user.

Every module raises :class:`LikelyError` for what a user can get wrong (a file, a key, a value);
the command line prints its sentence and exits with status 2. Bugs raise anything else and keep
their traceback.
"""


class LikelyError(Exception):
    """A mistake the user can fix: one sentence that says what is wrong, where, and what to do."""
