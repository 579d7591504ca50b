"""The process in which `estimate` measures small networks, in one thread.

``python -m kerasnets.studies.estimate_process`` reads one JSON object on stdin, with whole configurations (``configs``)
and how long to train each of them (``seconds``), and writes a line of JSON for each on stdout: its `Speed`, or what is
wrong with it (``error``), which ends it.

The callback that ends a measurement must not live in the module that runs as ``__main__``: it would count as a user's,
and every step would be called by itself, which takes a small network several times as long.
"""

import contextlib
import dataclasses
import json
import sys

from kerasnets.errors import InputError
from kerasnets.studies import estimate
from kerasnets.training.config import config_from_dict
from kerasnets.training.distribute import use_one_thread_if_small
from pipelines.errors import DataError


def main() -> None:
    """Measures what stdin asks for, in one thread."""
    asked, out = json.load(sys.stdin), sys.stdout
    configs = [config_from_dict(config) for config in asked["configs"]]
    try:
        use_one_thread_if_small(configs[0], estimate.image_shape(configs[0]), {})
        for config in configs:
            with contextlib.redirect_stdout(sys.stderr):
                speed = estimate.measure_speed(config, asked["seconds"])
            print(json.dumps(dataclasses.asdict(speed)), file=out, flush=True)
    except (InputError, DataError) as error:
        print(json.dumps({"error": str(error)}), file=out)


if __name__ == "__main__":
    main()
