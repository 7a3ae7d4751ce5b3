"""An installation as a whole: copied into one file, out of it again, and over to another database."""

from rota.archive.backup import back_up
from rota.archive.contents import Account
from rota.archive.move import Moved, move
from rota.archive.restore import restore

__all__ = ["Account", "Moved", "back_up", "move", "restore"]
