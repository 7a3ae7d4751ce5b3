"""Packs a folder into an archive with the moment in its name, and deletes old ones."""

from typing import Annotated, Any, Literal

from rota.modules.builtin.words import both, param
from rota.modules.context import Context
from rota.modules.decorator import module

PREFIX = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\Z"


@module(
    displayname=both("Archive", "Archiv"),
    description=both(
        "Packs a folder into a dated archive and deletes old ones.",
        "Packt einen Ordner in ein Archiv mit Datum und löscht alte.",
    ),
)
def archive(
    ctx: Context,
    source: Annotated[str, param(("Folder", "Ordner"), ("What is packed.", "Was gepackt wird."))],
    target: Annotated[str, param(("Into", "Nach"), ("The folder for archives.", "Der Ordner für die Archive."))],
    name: Annotated[
        str,
        param(("Name", "Name"), ("What archives' names begin with.", "Womit die Namen der Archive beginnen."), pattern=PREFIX),
    ] = "archive",
    form: Annotated[Literal["tar.gz", "tar.xz", "tar"], param(("Form", "Form"), ("Of archives.", "Der Archive."))] = "tar.gz",
    exclude: Annotated[
        list[str],
        param(
            ("Leave out", "Auslassen"),
            ("Patterns of names or of paths below, such as *.tmp.", "Muster für Namen oder Pfade darunter, wie *.tmp."),
            max_length=100,
        ),
    ] = [],  # noqa: B006  never changed
    keep: Annotated[
        int, param(("Keep", "Behalten"), ("How many of the newest; 0: all.", "Wie viele der neuesten; 0: alle."), minimum=0)
    ] = 0,
    keep_days: Annotated[
        int, param(("Keep for days", "Tage behalten"), ("0: for ever.", "0: für immer."), minimum=0, maximum=36500)
    ] = 0,
) -> dict[str, Any]:
    """The archive is there whole or not at all; old ones are deleted only when it is."""
    from rota.clock import SystemClock
    from rota.modules.archives import Kept, archive_name, measure, pack, prune
    from rota.modules.builtin.portion import Portion
    from rota.modules.places import open_folder, replacing_in

    now, roots = SystemClock().now(), ctx.given.get("roots", [])
    with open_folder(source, roots) as folder, open_folder(target, roots) as into:
        portion = Portion(ctx, measure(folder, exclude))
        file_name = archive_name(name, now, form)
        with replacing_in(into, file_name) as file:
            packed = pack(folder, file, form, name, into, exclude, portion.add)
            size = file.tell()
        for path in packed.left_out[:20]:
            ctx.warning(f"left out, for it is neither file, folder nor link, or gone: {path}")
        gone = prune(into, name, Kept(keep, keep_days), now)
    ctx.info(f"{file_name}: {packed.entries} entries, {packed.bytes} bytes in {size}; {len(gone)} old ones deleted", 100)
    return {
        "archive": f"{target.rstrip('/')}/{file_name}",
        "entries": packed.entries,
        "bytes": packed.bytes,
        "archive_bytes": size,
        "left_out": len(packed.left_out),
        "deleted": gone[:100],
    }
