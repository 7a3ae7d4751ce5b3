"""How many connections may be open at once: each holds a descriptor, and runs and files need some too."""

import resource

# Where the system names no limit.
DESCRIPTORS = 65_536
PART = "listeners"


class Room:
    """For the connections of all listeners of one server.

    most      more than so many are refused
    problems  what is told of the server, by part: that it is full stands there until something is free
    """

    def __init__(self, most: int, problems: dict[str, str] | None = None) -> None:
        self.most = most
        self.open = 0
        self._problems = {} if problems is None else problems

    def enter(self) -> int:
        """Count one more in. Answers by how many they are too many."""
        self.open += 1
        if self.open > self.most:
            self._problems[PART] = f"{self.most} connections are open, and no more are let in"
        return self.open - self.most

    def leave(self) -> None:
        self.open -= 1
        if self.open < self.most:
            self._problems.pop(PART, None)


def half_of_descriptors() -> int:
    """Of those that this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (DESCRIPTORS if soft == resource.RLIM_INFINITY else soft) // 2
