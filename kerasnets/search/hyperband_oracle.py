"""`HyperbandOracle`: many trials with a small budget, of which the best are promoted."""

import math
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import TrialStatus

from kerasnets.search.rungs import PREFIX, active_values
from kerasnets.search.search_oracle import SearchOracle


class HyperbandOracle(SearchOracle, keras_tuner.oracles.HyperbandOracle):
    """keras-tuner's brackets and rungs.

    Departures from keras-tuner's: a failed trial is neither waited for nor promoted; a promoted one has the number of
    its own bracket, not of the newest; and where the space holds fewer samples than a bracket, the best of those that
    there are get promoted all the same, where theirs ends the search with all of them at the smallest budget.
    """

    kind = "hyperband"

    def __init__(self, **options: Any):
        super().__init__(**options)
        self.settings["factor"] = self.factor

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Fills in the values of the next trial.

        Args:
            trial_id: Its number.
        """
        while True:
            self._brackets = [bracket for bracket in self._brackets if not self._is_complete(bracket)]
            for bracket in self._brackets:
                values = self._first_rung(bracket, trial_id) or self._promoted(bracket, trial_id)
                if values is not None:
                    return {"status": TrialStatus.RUNNING, "values": values}
            last = self._current_bracket == 0 and self._current_iteration + 1 >= self.hyperband_iterations
            if last or self.samples.exhausted:
                return {"status": TrialStatus.STOPPED, "values": None}
            self._increment_bracket_num()
            self._start_new_bracket()

    def _first_rung(self, bracket: dict[str, Any], trial_id: str) -> dict[str, Any] | None:
        number, first = bracket["bracket_num"], bracket["rounds"][0]
        values = self.samples.draw() if len(first) < self._get_size(number, 0) else None
        if values is None:
            return None
        first.append({"past_id": None, "id": trial_id})
        return values | self._notes(number, 0)

    def _promoted(self, bracket: dict[str, Any], trial_id: str) -> dict[str, Any] | None:
        number, rounds = bracket["bracket_num"], bracket["rounds"]
        sizes, alive = self._sizes(bracket)
        for i in range(1, len(rounds)):
            selected = {entry["past_id"] for entry in rounds[i]}
            past = [self.trials[entry["id"]] for entry in rounds[i - 1] if entry["id"] not in selected]
            candidates = [trial for trial in past if trial.status == TrialStatus.COMPLETED]
            # The best of so many is among the promoted, however the others end.
            if len(candidates) > alive[i - 1] - sizes[i]:
                best = max(candidates, key=lambda trial: trial.score)
                rounds[i].append({"past_id": best.trial_id, "id": trial_id})
                return active_values(best) | self._notes(number, i) | {PREFIX + "trial_id": best.trial_id}
        return None

    def _notes(self, number: int, i: int) -> dict[str, Any]:
        initial = self._get_epochs(number, i - 1) if i else 0
        notes = {"epochs": self._get_epochs(number, i), "initial_epoch": initial, "bracket": number, "round": i}
        return {PREFIX + name: value for name, value in notes.items()}

    def _sizes(self, bracket: dict[str, Any]) -> tuple[list[int], list[int]]:
        """How many trials each round of a bracket is to have, and how many of them have not failed."""
        number, rounds = bracket["bracket_num"], bracket["rounds"]
        full = [self._get_size(number, i) for i in range(len(rounds))]
        if self.samples.exhausted and len(rounds[0]) < full[0]:
            full = [math.ceil(len(rounds[0]) / self.factor**i) for i in range(len(rounds))]
        sizes, alive = [], []
        for i, entries in enumerate(rounds):
            failed = sum(self.trials[entry["id"]].status == TrialStatus.FAILED for entry in entries)
            sizes.append(min(full[i], alive[-1]) if i else full[0])
            alive.append(sizes[-1] - failed)
        return sizes, alive

    def _is_complete(self, bracket: dict[str, Any]) -> bool:
        sizes, _ = self._sizes(bracket)
        return all(len(entries) >= size for entries, size in zip(bracket["rounds"], sizes, strict=True))
