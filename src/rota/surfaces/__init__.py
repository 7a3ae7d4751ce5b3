"""Ways in: one folder for each, and the one list of them."""

from rota.surfaces import native

# name of the surface -> its app; the name is also its prefix on the main listener, but for the native API, which is at the root.
SURFACES = {"native": native.app}
