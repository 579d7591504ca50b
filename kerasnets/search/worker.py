"""`run_worker`: a share of a search that a chief leads, on another machine or on this one."""

import os
import socket

from kerasnets.search.client import ChiefClient, ChiefGone, read_identity
from kerasnets.search.config import SearchConfig
from kerasnets.search.early_server import EarlyServer
from kerasnets.search.folder import Clock, SearchFolder, settled
from kerasnets.search.live_table import Display, Silent
from kerasnets.search.settings import space_of
from kerasnets.search.slots import Slots, threads_of_each
from kerasnets.search.space import hyperparameters
from kerasnets.studies.ledger import Ledger
from kerasnets.studies.stop_signals import StopSignals


def run_worker(
    config: SearchConfig, address: str, *, display: Display | None = None, server: EarlyServer | None = None
) -> int:
    """Works on a search that a chief leads, until that has no more trials.

    Args:
        config: The search as the chief has it; its folder must be the chief's, seen from here.
        address: ``HOST:PORT`` of the chief.
        display: Told what happens; silent by default.
        server: One that was started for this search; it is closed at the end.

    Returns:
        0 when the search has ended, 1 after trouble, 128 and the signal's number after a signal.

    Raises:
        InputError: The folder is not that of this search, or the chief cannot be reached.
    """
    display = display or Silent()
    server = server or EarlyServer(config)
    folder = SearchFolder(config.folder)
    worker = f"{socket.gethostname()}-{os.getpid()}"
    with server.ended_after(), StopSignals() as signals:
        folder.check(config, space_of(config).describe())
        space = space_of(config, folder)
        served = server.wait()
        folder.check_data(served.data)
        config = settled(config, folder)
        display.begin(config.folder.name, config.unit, None, None)
        names = [f"{worker}-{number}" for number in range(max(1, config.workers))]

        def leave(seconds: float) -> None:
            if signals.received:
                raise ChiefGone("a signal came while the chief did not answer")

        client = ChiefClient(address, read_identity(folder.path), waiting=leave)
        slots = Slots(
            config,
            folder,
            space=space,
            hyperparameters=hyperparameters(space, served.image_shape, served.num_classes),
            oracle=client,
            server=served,
            names=names,
            display=display,
            clock=Clock(folder.path / f"clock-{worker}.json"),
            threads=threads_of_each(len(names)),
            ledger=Ledger(folder.path / f"ledger-{worker}.jsonl"),
            remote=True,
        )
        try:
            slots.run(lambda: bool(signals.received), display.ended)
        except ChiefGone:
            if not signals.received:
                raise
        finally:
            client.close()
            display.close()
        (folder.path / f"clock-{worker}.json").unlink(missing_ok=True)
    if signals.received:
        return 128 + signals.received[0]
    if slots.trouble:
        display.message(slots.trouble)
    return int(bool(slots.trouble))
