"""A kustomization that cannot be built."""


class KustomizeError(Exception):
    """The text is kustomize's own where it has one."""
