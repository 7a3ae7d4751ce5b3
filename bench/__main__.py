"""`python -m bench`: run all benches or some, print a table, write JSON."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench import (
    blobs,
    burst,
    callbacks,
    create_tasks,
    drain,
    fleet,
    idle,
    lateness,
    log_capture,
    modules,
    ordinaut,
    pipeline,
    posthog,
    run_list,
    runwisp,
    spawn,
    start_latency,
    startup,
    store,
    viewer,
)
from bench.figure import Figure
from bench.machine import look_at_machine
from bench.report import print_table
from bench.scratch import keep_all

Bench = Callable[[bool], list[Figure]]

BENCHES: dict[str, Bench] = {
    "blobs": blobs.measure,
    "spawn": spawn.measure,
    "burst": burst.measure,
    "lateness": lateness.measure,
    "start_latency": start_latency.measure,
    "run_list": run_list.measure,
    "log_capture": log_capture.measure,
    "viewer": viewer.measure,
    "idle": idle.measure,
    "startup": startup.measure,
    "create_tasks": create_tasks.measure,
    "drain": drain.measure,
    "modules": modules.measure,
    "pipeline": pipeline.measure,
    "ordinaut": ordinaut.measure,
    "posthog": posthog.measure,
    "callbacks": callbacks.measure,
    "runwisp": runwisp.measure,
    "store": store.measure,
    "fleet": fleet.measure,
}


def main() -> None:
    options = read_options()
    if options.peers:
        os.environ[drain.PEERS] = "1"
    machine = look_at_machine()
    print(f"machine: {json.dumps(msgspec.to_builtins(machine))}", file=sys.stderr)
    figures: list[Figure] = []
    with keep_all():
        for name in options.only or BENCHES:
            begin = time.perf_counter()
            measured = BENCHES[name](options.quick)
            figures += measured
            told = ", ".join(f"{each.ours:g} {each.unit}" for each in measured)
            print(f"{name}: {told} (took {time.perf_counter() - begin:.0f} s)", file=sys.stderr, flush=True)
    document = msgspec.json.format(msgspec.json.encode({"machine": machine, "figures": figures}), indent=2)
    if options.json:
        Path(options.json).write_bytes(document + b"\n")
    else:
        print(document.decode())
    print_table(figures)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=BENCHES, metavar="NAME", help=f"one of: {', '.join(BENCHES)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller stocks: to see that all works")
    parser.add_argument("--peers", action="store_true", help="install other task queues into a scratch venv and run them too")
    parser.add_argument("--json", metavar="FILE", help="write the figures to a file instead of stdout")
    return parser.parse_args()


if __name__ == "__main__":
    main()
