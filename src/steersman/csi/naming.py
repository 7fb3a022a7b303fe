"""The names by which controllers and kubelets mean the same volume on the same node, as upstream computes them. Pure."""

import hashlib


def attachment(handle: str, driver: str, node: str) -> str:
    """Of the VolumeAttachment."""
    return f"csi-{hashlib.sha256(f'{handle}{driver}{node}'.encode()).hexdigest()}"


def in_use(driver: str, handle: str) -> str:
    """As `volumesInUse` and `volumesAttached` of the Node have it."""
    return f"kubernetes.io/csi/{driver}^{handle}"
