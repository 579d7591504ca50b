"""DataError: what `pipelines` raises for everything that the user can mend."""


class DataError(ValueError):
    """A mistake in the data or in what was asked of it: one line says what was expected, what received, what to do.

    The command line prints it without a traceback and exits 2.
    """
