"""Conversions between the versions of a kind (`api.kind.Storage`), a file per kind. Pure."""
