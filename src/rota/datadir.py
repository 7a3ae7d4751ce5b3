"""What lies where in a data directory."""

SOCKET = "rota.sock"
DATABASE = "rota.db"
LOGS = "logs"
# Artifacts, where they are not in a bucket.
BLOBS = "blobs"
# Where agents work that are programs, while they do.
WORKSPACES = "workspaces"
# The journal of started processes.
LEDGER = "processes.log"
# Held by the server that has the directory.
LOCK = "server.lock"
