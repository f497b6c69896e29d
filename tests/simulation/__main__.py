"""`python -m tests.simulation faults [PAIRS]` runs the matrix, `replay POINT:FAULT[,…]` one run of it."""

from __future__ import annotations

import sys

from tests.simulation.matrix import FAULTS, pairs, simulate, singles, table


def main(words: list[str]) -> int:
    """Do what the words say."""
    match words:
        case ["faults", *count]:
            plans = [{point: fault} for point, fault in singles()]
            plans += list(pairs(int(count[0]) if count else 500, seed=1))
            text, wrong = table(plans)
            print(text)
            print(f"{len(plans)} runs, {wrong} violations" if wrong else f"{len(plans)} runs\n0 violations")
            return 1 if wrong else 0
        case ["replay", named]:
            return _replay(dict(each.rpartition(":")[::2] for each in named.split(",")))
    print(__doc__)
    return 2


def _replay(plan: dict[str, str]) -> int:
    unknown = sorted(set(plan.values()) - set(FAULTS))
    world = simulate(plan) if not unknown else None
    missed = sorted(set(plan) - {hit.rpartition(":")[0] for hit in world.hit}) if world else []
    if unknown or world is None:
        print(f"no fault {', '.join(unknown)}; there are {', '.join(FAULTS)}")
        return 2
    if missed:
        print(f"the run does not pass {', '.join(missed)}; it passes", *world.trace, sep="\n  ")
        return 2
    faults = dict(hit.rpartition(":")[::2] for hit in world.hit)
    for point in world.trace:
        print(point, f"<- {faults[point]}" if point in faults else "")
    print("\n".join(sorted(set(world.wrong))) or "0 violations")
    return 1 if world.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
