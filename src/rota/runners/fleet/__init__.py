"""Attempts on other machines: Temporal carries them to workers, the database says who has which."""
