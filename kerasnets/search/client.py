"""`ChiefClient`: the oracle of another process, with the patience to see its chief die and come back."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from keras_tuner.engine.trial import Trial
from keras_tuner.src import protos

import kerasnets
from kerasnets.errors import InputError
from kerasnets.search.address import parse_address
from kerasnets.search.messages import IDENTITY, VERSION, from_message, to_message

_CALL_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_AGAIN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.ABORTED,
)


class ChiefGone(InputError):
    """The chief has not answered for as long as its worker was to wait."""


class ChiefClient:
    """Asks a chief what its oracle would be asked.

    Every call may be made twice: a lost answer changes nothing. To fork the process while a client is open is not safe;
    starting another program is.

    Args:
        address: ``HOST:PORT`` of the chief.
        identity: Of the search, as `read_identity` finds it in the folder that both see.
        patience_seconds: How long to wait for a chief that does not answer.
        waiting: Called while it does not, with the seconds so far; what it raises ends the waiting.
        call_seconds: How long one call may take.

    Raises:
        InputError: The address is none.
    """

    def __init__(
        self,
        address: str,
        identity: str,
        *,
        patience_seconds: float = 300.0,
        waiting: Callable[[float], None] = lambda seconds: None,
        call_seconds: float = _CALL_SECONDS,
    ):
        self.address = parse_address(address)
        if self.address.port == 0:
            raise InputError(
                f"A worker needs the port of its chief. Received: {address!r}. The chief says which it has."
            )
        self._metadata = ((VERSION, kerasnets.__version__), (IDENTITY, identity))
        self._patience, self._waiting, self._call_seconds = patience_seconds, waiting, call_seconds
        self._scores: dict[str, float] = {}
        self._channel: grpc.Channel | None = None

    def create_trial(self, tuner_id: str) -> Trial:
        """Returns the trial of a tuner; asked again while it runs, this says that the tuner is alive.

        An answer with another id says that the trial was handed on.

        Args:
            tuner_id: Unlike that of any other worker's tuner.

        Raises:
            ChiefGone: The chief does not answer.
            InputError: The chief is of another search or release, or no sample is accepted.
        """
        service = protos.get_service()
        return from_message(self._call("CreateTrial", service.CreateTrialRequest(tuner_id=tuner_id)).trial)

    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> None:
        """Notes the score of a trial, which is sent when it ends: a chief that dies in between loses nothing.

        Args:
            trial_id: Its number.
            metrics: With its ``score``.
            step: Unused: a trial has one score.
        """
        self._scores[trial_id] = float(metrics["score"])

    def end_trial(self, trial: Trial) -> None:
        """Ends a trial; nothing happens if it was handed on.

        Args:
            trial: With status ``COMPLETED``, ``FAILED`` or ``INVALID``.

        Raises:
            ChiefGone: The chief does not answer.
            InputError: There is no such trial, or its status or score is none.
        """
        if trial.score is None:
            trial.score = self._scores.get(trial.trial_id)
        self._call("EndTrial", protos.get_service().EndTrialRequest(trial=to_message(trial)))
        self._scores.pop(trial.trial_id, None)

    def get_trial(self, trial_id: str) -> Trial:
        """Returns a trial by its number.

        Raises:
            ChiefGone: The chief does not answer.
            InputError: There is no such trial.
        """
        return from_message(self._call("GetTrial", protos.get_service().GetTrialRequest(trial_id=trial_id)).trial)

    def close(self) -> None:
        """Ends the connection; the next call would open another."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _call(self, name: str, request: Any) -> Any:
        began = time.monotonic()
        pause = _FIRST_PAUSE
        while True:
            try:
                return self._once(name, request)
            except grpc.RpcError as error:
                if error.code() not in _AGAIN:
                    raise InputError(error.details()) from None
                if error.code() == grpc.StatusCode.ABORTED:  # it is there, and busy
                    began = time.monotonic()
                else:  # a machine that has died and come back knows nothing of the old connection
                    self.close()
                silent, why = time.monotonic() - began, error.details()
            if silent >= self._patience:
                raise ChiefGone(
                    f"A worker needs its chief. Received: no answer from {self.address} for {silent:.0f} s ({why}). "
                    "Nothing is lost: start the chief again, then this worker."
                )
            self._waiting(silent)
            time.sleep(min(pause, self._patience - silent))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _once(self, name: str, request: Any) -> Any:
        if self._channel is None:
            # Channels of a process share their connections otherwise, and a broken one's pause between attempts.
            options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
            self._channel = grpc.insecure_channel(str(self.address), options=options)
        method = getattr(protos.get_service_grpc().OracleStub(self._channel), name)
        return method(request, timeout=self._call_seconds, metadata=self._metadata)


def read_identity(search_folder: str | Path) -> str:
    """Returns what tells a search from every other one, from the folder that its chief writes.

    Raises:
        InputError: No chief has written there, or the file is damaged.
    """
    file = Path(search_folder) / "oracle.json"
    try:
        return str(json.loads(file.read_bytes())["identity"])
    except FileNotFoundError:
        raise InputError(
            f"A worker needs the folder of a search that its chief has begun. Received: {search_folder}, which holds "
            "none. Give --output and --name as the chief has them, in a folder that both see."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{file} must hold the state of a search. Received: a damaged file. Ask its chief.") from None
