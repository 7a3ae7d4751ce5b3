"""Pipelines: steps that call tools one after the other. `language` tells it all."""
