"""Kustomizations: a folder's resources, changed as its `kustomization.yaml` says, into one list of objects.

    build.build(folder, warn) → objects

Everything but reading files (`files.py`) is pure. What would run programs or fetch from elsewhere (remote bases, Helm
charts, plugins) is refused in words.
"""
