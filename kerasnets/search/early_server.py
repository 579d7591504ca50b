"""`EarlyServer`: the server of the trials, which reads the data while this process imports TensorFlow itself."""

import contextlib
import threading
from collections.abc import Iterator

from kerasnets.search.config import SearchConfig
from kerasnets.search.settings import trial_config
from kerasnets.search.trial_process import TrialServer


class EarlyServer:
    """Starts a server and does not wait for it.

    Args:
        config: The search.
    """

    def __init__(self, config: SearchConfig):
        self._config = trial_config(config, {"arch": "lazynet"})
        self._nice = config.nice
        self._server: TrialServer | None = None
        self._problem: BaseException | None = None
        # A process that ends need not wait for it: the server sees that, and ends too.
        self._thread = threading.Thread(target=self._start, daemon=True)
        self._thread.start()

    def _start(self) -> None:
        try:
            self._server = TrialServer(self._config, nice=self._nice)
        except BaseException as problem:
            self._problem = problem

    def wait(self) -> TrialServer:
        """Returns the server once it has read the data.

        Raises:
            InputError: As `TrialServer`.
        """
        self._thread.join()
        if self._problem is not None:
            raise self._problem
        return self._server

    @contextlib.contextmanager
    def ended_after(self) -> Iterator[None]:
        """Ends the server after what is done with it; after an error nobody waits for it to be ready first."""
        try:
            yield
        except BaseException:
            threading.Thread(target=self._end, daemon=True).start()
            raise
        self._end()

    def _end(self) -> None:
        self._thread.join()
        if self._server is not None:
            self._server.close()
