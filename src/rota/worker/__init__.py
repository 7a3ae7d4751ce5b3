"""A machine that carries attempts out for servers elsewhere: `rota worker`."""
