"""Huey, with its own environment's Python: enqueues no-op tasks, drains them with one worker, prints tasks per second."""

import sys
import time

from huey import SqliteHuey  # type: ignore[import-not-found,unused-ignore]
from huey.consumer import Consumer  # type: ignore[import-not-found,unused-ignore]


def main() -> None:
    path, count = sys.argv[1], int(sys.argv[2])
    huey = SqliteHuey("bench", filename=path, fsync=True, journal_mode="wal", results=True)
    done = 0

    @huey.task()  # type: ignore[untyped-decorator,unused-ignore]
    def noop() -> int:
        nonlocal done
        done += 1
        return 0

    begin = time.perf_counter()
    for _ in range(count):
        noop()
    consumer = Consumer(huey, workers=1, periodic=False, initial_delay=0.01, max_delay=0.01)
    consumer.start()
    while done < count:
        time.sleep(0.005)
    took = time.perf_counter() - begin
    consumer.stop()
    print(count / took)


if __name__ == "__main__":
    main()
