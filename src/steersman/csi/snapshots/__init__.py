"""Snapshots of volumes (`snapshot.storage.k8s.io`): their kinds, which are custom resources, and what is decided about them."""
