"""Admission: what the cluster itself has to say about a write, one file per plugin, `chain` in their order."""
