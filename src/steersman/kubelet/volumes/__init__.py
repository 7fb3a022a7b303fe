"""Pods' volumes: one file per type, `mounting.Volumes` brings them together."""
