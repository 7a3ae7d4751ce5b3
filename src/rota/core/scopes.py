"""Scopes: what the credential of an agent, or a key, can be limited to, apart from those that tools ask for (Ordinaut §2)."""

# `system` is that of the agent made at the first start; it asks for nothing more than `admin` does.
SCOPES = (
    "tasks:create", "tasks:read", "tasks:update", "tasks:delete", "tasks:cancel", "tasks:run", "runs:read", "events:publish",
    "events:read", "admin", "system",
)  # fmt: skip
