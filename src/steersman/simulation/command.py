"""`script/simulate [--seed N] [--seeds A..B] [--hours H] [--nodes N] [--faults LIST]`: run seeds, print their hashes.

Exits with 1 when an invariant was broken; the first failing seed is made smaller and told as a story.
"""

import argparse
import concurrent.futures
import dataclasses
import functools
import gc
import sys
from collections.abc import Iterator, Sequence

from steersman.simulation import plan, run, shrink, story
from steersman.simulation.plan import Size


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """What is told of one seed."""

    seed: int
    hash: str
    revisions: int
    seconds: float
    problems: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    size = Size(nodes=asked.nodes)
    if asked.hours:
        size = size.of_hours(asked.hours)
    failed: list[int] = []
    for line in seeds(
        asked.seeds if asked.seed is None else range(asked.seed, asked.seed + 1), size, asked.faults, asked.jobs
    ):
        print(f"{line.seed}  {line.hash}  {line.revisions} revisions  {line.seconds:.0f} s", flush=True)
        for problem in line.problems:
            print(f"    {problem}", flush=True)
        if line.problems:
            failed.append(line.seed)
    if failed:
        print(f"\n{len(failed)} seeds broke an invariant: {', '.join(map(str, failed))}", file=sys.stderr)
        result = run.run(plan.make(failed[0], size, asked.faults))
        if asked.shrink and result.problems:
            result = shrink.shrink(result)
        print("\n" + "\n".join(story.tell(result)))
    return 1 if failed else 0


def seeds(which: Sequence[int], size: Size, faults: Sequence[str], jobs: int) -> Iterator[Line]:
    """In order of seeds, by so many processes."""
    one = functools.partial(_one, size=size, faults=tuple(faults))
    if jobs <= 1 or len(which) == 1:
        yield from map(one, which)
        return
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(one, which, chunksize=4)


def _one(seed: int, size: Size, faults: Sequence[str]) -> Line:
    result = run.run(plan.make(seed, size, faults))
    line = Line(seed, result.hash, result.revisions, result.seconds, result.problems)
    del result
    gc.collect()
    return line


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="script/simulate", description="Run clusters under faults from seeds.")
    parser.add_argument("--seed", type=int, help="this one only")
    parser.add_argument("--seeds", type=_range, default=range(20), metavar="A..B", help="from A up to B  [0..19]")
    parser.add_argument("--hours", type=float, default=0.0, help="virtual time; as dense as the default's 2 minutes")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument(
        "--faults", type=_faults, default=tuple(plan.FAULTS), metavar="LIST", help="of " + ",".join(plan.FAULTS)
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--no-shrink", dest="shrink", action="store_false", help="tell the story of the plan as it is")
    return parser


def _range(text: str) -> range:
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


def _faults(text: str) -> tuple[str, ...]:
    found = tuple(name for name in text.split(",") if name and name != "none")
    unknown = [name for name in found if name not in plan.FAULTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such fault: {', '.join(unknown)}; there are {', '.join(plan.FAULTS)}")
    return found


if __name__ == "__main__":
    sys.exit(main())
