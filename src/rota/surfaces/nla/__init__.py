"""NLA Engine's API: agents, and what their runs came to."""

from rota.surfaces.nla.routes import ROUTES, app
from rota.surfaces.nla.tasks import FORM, write_task

__all__ = ["FORM", "ROUTES", "app", "write_task"]
