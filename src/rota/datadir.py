"""What lies where in a data directory."""

SOCKET = "rota.sock"
DATABASE = "rota.db"
LOGS = "logs"
# Artifacts, where they are not in a bucket.
BLOBS = "blobs"
# Folders of runs that are going on, for files that they leave.
LEFT = "left"
# Where agents work that are programs, while they do.
WORKSPACES = "workspaces"
# Where commands of projects work, while they do.
PROJECTS = "projects"
# The journal of started processes.
LEDGER = "processes.log"
# Tells this directory from those of other servers on the same database.
PLACE = "node.id"
# What its servers have been called, a name a line: what they carried out under any of these was carried out here.
NAMES = "node.names"
# Held by the server that has the directory.
LOCK = "server.lock"
