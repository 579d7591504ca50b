"""`Chief`: lets the workers of other processes and machines share the oracle of this one."""

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer

import kerasnets
from kerasnets.errors import InputError
from kerasnets.search.address import parse_address
from kerasnets.search.messages import IDENTITY, VERSION, from_message, to_message
from kerasnets.search.search_oracle import SearchOracle
from kerasnets.search.tuner_trial import new_trial

# A worker has at most one call under way, but those that it has given up may still be at work.
_THREADS = 64
_STOP_SECONDS = 1.0
_SILENT_SECONDS = 30.0


class Chief:
    """A server that hands out the trials of an oracle.

    Args:
        oracle: Whose state is read back already.
        address: ``HOST:PORT``; without a host it is for this machine alone; port 0 lets the system choose.

    Attributes:
        address: Where it listens.
        warning: What to tell the user about the address; empty where only this machine reaches it.
        error: Why no trial could be made for a worker, in one line; empty if all is well.

    Raises:
        InputError: The address is none.
    """

    def __init__(self, oracle: SearchOracle, address: str):
        self.oracle = oracle
        self.address = parse_address(address)
        self.error = ""
        self.warning = ""
        if not self.address.is_loopback:
            self.warning = (
                f"{self.address} is open to the network: the channel has no authentication and no encryption, and "
                "whoever reaches it can read and end trials. Use it in a network of your own only."
            )
        self._server: grpc.Server | None = None
        # When each tuner of another process last spoke, and which of them know that there is no more to do.
        self._spoke: dict[str, float] = {}
        self._told: set[str] = set()
        self._over = False
        self._began = time.monotonic()

    def start(self) -> None:
        """Begins to listen.

        Raises:
            InputError: The port is in use, or is none of this machine.
            OSError: The state of the oracle, by which workers know the search, cannot be written.
        """
        self._check_is_free()
        self.oracle.save()
        self._over = self.oracle.is_over()
        pool = futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="chief")
        # Otherwise a second chief could listen on the same port, and workers would find either.
        server = grpc.server(pool, interceptors=[_SameSearch(self.oracle)], options=[("grpc.so_reuseport", 0)])
        protos.get_service_grpc().add_OracleServicer_to_server(_Servicer(self), server)
        try:
            port = server.add_insecure_port(str(self.address))
        except RuntimeError as error:
            raise self._cannot_listen(str(error)) from None
        self.address = type(self.address)(self.address.host, port)
        self._began = time.monotonic()
        server.start()
        self._server = server

    def _check_is_free(self) -> None:
        """Tries the address first: the system's own words are plainer than gRPC's, which it also prints."""
        host, port = self.address.host, self.address.port
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, kind, protocol, _, where = found[0]
            with socket.socket(family, kind, protocol) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(where)
        except OSError as error:
            words = "another process listens there" if error.errno == errno.EADDRINUSE else error.strerror
            raise self._cannot_listen(words or str(error)) from None

    def _cannot_listen(self, received: str) -> InputError:
        return InputError(
            f"A chief needs an address of this machine that is free. Received: {self.address} ({received}). Give "
            "another port, or :0 for any."
        )

    @property
    def port(self) -> int:
        """Where it listens, once started."""
        return self.address.port

    def stop(self) -> None:
        """Ends it; calls under way get a moment to be answered."""
        if self._server is not None:
            self._server.stop(_STOP_SECONDS).wait()
            self._server = None

    def __enter__(self) -> "Chief":
        self.start()
        return self

    def __exit__(self, *exception) -> None:
        self.stop()

    def end(self) -> None:
        """Tells everybody from now on that there are no more trials, as where the time is over."""
        self._over = True

    @property
    def finished(self) -> bool:
        """Whether there are no more trials, and every worker that is alive knows it and needs the chief no more."""
        if not (self._over or self.oracle.over):
            return False
        return set(self._spoke) <= self._told | set(self._silent(_SILENT_SECONDS))

    def hand_on(self, timeout_seconds: float = _SILENT_SECONDS) -> dict[str, str]:
        """Takes the trials away from tuners of other processes that have fallen silent; whoever asks next gets them.

        A tuner that was known before the chief was started is waited for from then on. Tuners of this process, which
        ask the oracle itself, are left alone.

        Args:
            timeout_seconds: How long a tuner may be silent.

        Returns:
            The trials that were taken away, by tuner.

        Raises:
            OSError: The state of the oracle cannot be written.
        """
        taken = {tuner_id: self.oracle.orphan(tuner_id) for tuner_id in self._silent(timeout_seconds)}
        return {tuner_id: trial_id for tuner_id, trial_id in taken.items() if trial_id is not None}

    def _silent(self, timeout_seconds: float) -> list[str]:
        """Tuners of other processes that have not spoken for so long."""
        now = time.monotonic()
        spoke = dict(self._spoke)
        local = set(self.oracle.tuner_ids) - set(spoke)
        known = dict.fromkeys([*spoke, *self.oracle.owners()])
        return [
            tuner_id
            for tuner_id in known
            if tuner_id not in local and now - spoke.get(tuner_id, self._began) > timeout_seconds
        ]

    def note(self, tuner_id: str) -> None:
        """Notes that a tuner of another process is alive, before the oracle is asked, which may take long."""
        self._spoke[tuner_id] = time.monotonic()

    def create_trial(self, tuner_id: str) -> Trial:
        """Answers a tuner of another process as the oracle does."""
        trial = new_trial("", {}, TrialStatus.STOPPED) if self._over else self.oracle.create_trial(tuner_id)
        if trial.status == TrialStatus.STOPPED:
            self._told.add(tuner_id)
        return trial


class _SameSearch(grpc.ServerInterceptor):
    """Answers nobody of another search or release."""

    def __init__(self, oracle: SearchOracle):
        self._oracle = oracle

    def intercept_service(self, continuation, details):
        said = dict(details.invocation_metadata)
        if said.get(VERSION) != kerasnets.__version__:
            return _refuse(
                f"Chief and workers must be of the same release of kerasnets. Received: {said.get(VERSION)} from the "
                f"worker, {kerasnets.__version__} of the chief. Install the same one on both machines."
            )
        if said.get(IDENTITY) != self._oracle.identity:
            return _refuse(
                "A worker must work in the folder of its chief's search. Received: a folder of another search. Give "
                "--output and --name as the chief has them, in a folder that both see."
            )
        return continuation(details)


def _refuse(message: str) -> grpc.RpcMethodHandler:
    def abort(request, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, message)

    return grpc.unary_unary_rpc_method_handler(abort)


class _Servicer(OracleServicer):
    """keras-tuner's service, with exact values and with errors in words."""

    def __init__(self, chief: Chief):
        super().__init__(chief.oracle)
        self._chief = chief
        self._under_way: set[str] = set()
        self._lock = threading.Lock()

    def CreateTrial(self, request, context):
        """Returns a trial, or says that the oracle is still looking for one."""
        self._chief.note(request.tuner_id)
        with self._once(f"create {request.tuner_id}", context), _in_words(self._chief, context):
            trial = self._chief.create_trial(request.tuner_id)
            return protos.get_service().CreateTrialResponse(trial=to_message(trial))

    def EndTrial(self, request, context):
        """Ends a trial."""
        with self._once(f"end {request.trial.trial_id}", context), _in_words(self._chief, context):
            self.oracle.end_trial(from_message(request.trial))
            return protos.get_service().EndTrialResponse()

    def GetTrial(self, request, context):
        """Returns a trial by its number."""
        with _in_words(self._chief, context):
            trial = self.oracle.get_trial(request.trial_id)
            return protos.get_service().GetTrialResponse(trial=to_message(trial))

    @contextlib.contextmanager
    def _once(self, call: str, context: Any) -> Iterator[None]:
        """Keeps a call that is made again and again from filling all threads while the oracle looks for a sample."""
        with self._lock:
            known = call in self._under_way
            self._under_way.add(call)
        if known:
            context.abort(grpc.StatusCode.ABORTED, "the oracle is looking for a sample")
        try:
            yield
        finally:
            with self._lock:
                self._under_way.discard(call)


@contextlib.contextmanager
def _in_words(chief: Chief, context: Any) -> Iterator[None]:
    try:
        yield
    except (InputError, ValueError) as error:
        chief.error = str(error) if isinstance(error, InputError) else chief.error
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
    except OSError as error:
        # Nothing has changed: the worker tries again, and the chief may have room on its disk by then.
        context.abort(grpc.StatusCode.UNAVAILABLE, f"the chief cannot write its state: {error}")
