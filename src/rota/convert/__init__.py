"""Other schedulers' files as settings of ours. Their sources are read, never changed."""
