"""All SQL of Rota, one file per noun."""
