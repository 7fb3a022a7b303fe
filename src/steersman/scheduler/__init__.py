"""Chooses a node for each pod that has none."""
