"""What lies where in a data directory."""

SOCKET = "rota.sock"
DATABASE = "rota.db"
LOGS = "logs"
# The journal of started processes.
LEDGER = "processes.log"
# Held by the server that has the directory.
LOCK = "server.lock"
