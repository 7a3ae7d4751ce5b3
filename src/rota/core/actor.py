"""Who asks, and what they may do."""

from typing import Literal

from msgspec import Struct

from rota.core.errors import Forbidden

Right = Literal["system.root", "system.task", "task.shell", "staff"]
RIGHTS: tuple[Right, ...] = ("system.root", "system.task", "task.shell", "staff")
KeyKind = Literal["native", "fylr", "nla", "posthog"]
KEY_KINDS: tuple[KeyKind, ...] = ("native", "fylr", "nla", "posthog")


class Actor(Struct, frozen=True, kw_only=True):
    """A user or an agent that asks for something, with what it may do.

    kind    user · agent · operator (the person at the machine: the control socket, the settings file)
    scopes  limits of the credential that was shown; None where the credential knows no scopes
    """

    id: str
    name: str
    kind: Literal["user", "agent", "operator"]
    rights: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    project_ids: frozenset[int] | None = None

    @property
    def is_root(self) -> bool:
        return self.kind == "operator" or "system.root" in self.rights

    def has(self, right: Right) -> bool:
        return self.is_root or right in self.rights

    def require(self, right: Right) -> None:
        """Raises Forbidden, naming the right."""
        if not self.has(right):
            raise Forbidden(f"this needs the right {right}", hint=f"an operator grants it: rota user add --right {right}")

    def require_scope(self, *scopes: str) -> None:
        """Raises Forbidden unless the credential has one of them, or `admin`; one that knows no scopes is not limited by any.

        What its user may does not widen it.
        """
        if self.scopes is None or self.scopes.intersection((*scopes, "admin")):
            return
        raise Forbidden(f"this needs the scope {' or '.join(scopes)}")

    def may_see(self, owner_id: str | None) -> bool:
        """Own things and, for root, everything. What the settings file defines (no owner) is the installation's."""
        return self.is_root or (owner_id is not None and owner_id == self.id)


OPERATOR = Actor(id="operator", name="operator", kind="operator")
