"""Logins for registries: those of Secrets and of the node by their names, and those that programs beside the kubelet know."""
