"""`EarlyServer`: the server of the trials, which reads the data while this process imports TensorFlow itself."""

import threading

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

    def close(self) -> None:
        """Ends the server, if there is one."""
        self._thread.join()
        if self._server is not None:
            self._server.close()
