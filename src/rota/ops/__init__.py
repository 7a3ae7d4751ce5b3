"""Everything that can be asked of Rota, one file per noun; the only thing surfaces call."""
