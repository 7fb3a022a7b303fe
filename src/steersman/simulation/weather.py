"""The faults that are at work now, and what they do to one message.

Each fault draws from a stream of chance of its own. Nothing here waits or sends: `network` and `storage` ask and act.
"""

import dataclasses

from steersman.aio.clock import Chance
from steersman.meta import errors
from steersman.meta.errors import StatusError
from steersman.serving.messages import Request
from steersman.simulation.plan import Fault

# A lost message is noticed at once (reset) or by a timeout of the client's.
NOTICED_SECONDS = (0.001, 0.2, 5.0, 10.0)
READS = ("GET", "HEAD")


@dataclasses.dataclass(slots=True)
class Journey:
    """What becomes of one request. `lost_seconds` None: it arrives; else how long until its sender gives it up."""

    before_seconds: float = 0.0
    lost_seconds: float | None = None
    refused: StatusError | None = None
    answer_lost: bool = False
    after_seconds: float = 0.0
    again_after_seconds: float | None = None


SMOOTH = Journey()


class Weather:
    """`begin` and `end` faults; ask about messages."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._active: dict[Fault, Chance] = {}
        self._of_part: dict[str, list[tuple[Fault, Chance]]] = {}

    def begin(self, fault: Fault) -> None:
        self._active[fault] = Chance(self._seed, "weather", fault.number)
        self._of_part.clear()

    def end(self, fault: Fault) -> None:
        self._active.pop(fault, None)
        self._of_part.clear()

    def clear(self) -> None:
        self._active.clear()
        self._of_part.clear()

    def of(self, part: str) -> list[tuple[Fault, Chance]]:
        """What strikes this part now."""
        found = self._of_part.get(part)
        if found is None:
            found = [(fault, chance) for fault, chance in self._active.items() if _strikes(fault, part)]
            self._of_part[part] = found
        return found

    def is_cut_off(self, part: str) -> bool:
        return any(fault.kind == "partition" for fault, _ in self.of(part))

    def stale_seconds(self, part: str) -> float:
        return sum(chance.uniform(0, fault.amount) for fault, chance in self.of(part) if fault.kind == "stale")

    def journey(self, part: str, request: Request) -> Journey:
        found = self.of(part)
        if not found:
            return SMOOTH
        journey = Journey()
        for fault, chance in found:
            if fault.kind == "partition":
                journey.lost_seconds = chance.choice(NOTICED_SECONDS)
            elif fault.kind in _ON_THE_WAY and chance.random() < fault.chance:
                _ON_THE_WAY[fault.kind](journey, fault, chance, request)
        return journey

    def store(self) -> list[tuple[Fault, Chance]]:
        return self.of("store")


def _strikes(fault: Fault, part: str) -> bool:
    return fault.part == part or (fault.part == "*" and part not in ("store", "watcher"))


def _delay(journey: Journey, fault: Fault, chance: Chance, request: Request) -> None:
    journey.before_seconds += chance.uniform(0, fault.amount)
    journey.after_seconds += chance.uniform(0, fault.amount)


def _lose_request(journey: Journey, fault: Fault, chance: Chance, request: Request) -> None:
    journey.lost_seconds = chance.choice(NOTICED_SECONDS)


def _lose_answer(journey: Journey, fault: Fault, chance: Chance, request: Request) -> None:
    journey.answer_lost = True
    journey.after_seconds += chance.choice(NOTICED_SECONDS)


def _duplicate(journey: Journey, fault: Fault, chance: Chance, request: Request) -> None:
    """Never a create whose name the server makes up: no client or proxy on the way repeats what cannot be repeated."""
    if request.method not in READS and b'"generateName"' not in request.body:
        journey.again_after_seconds = chance.uniform(0, fault.amount)


def _refuse(journey: Journey, fault: Fault, chance: Chance, request: Request) -> None:
    refusals = [errors.too_many_requests("slow down", 1), errors.internal("simulated"), errors.unavailable("simulated")]
    if request.method == "PUT":
        refusals.append(errors.modified("objects", request.path.rpartition("/")[2]))
    journey.refused = chance.choice(refusals)


_ON_THE_WAY = {
    "delay": _delay,
    "lose-request": _lose_request,
    "lose-answer": _lose_answer,
    "duplicate": _duplicate,
    "refuse": _refuse,
}
