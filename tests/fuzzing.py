"""How many cases a fuzzer runs: few in the suite, GENPIPE_FUZZ_CASES of them when somebody looks for faults."""

import os


def cases(usual: int) -> int:
    """The number of cases to run."""
    return int(os.environ.get("GENPIPE_FUZZ_CASES") or usual)
