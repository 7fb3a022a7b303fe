"""Volumes of pods and sources of persistent volumes: one row of the table for each type."""

from collections.abc import Callable, Mapping

from steersman.kubectl.describe.writing import NONE, UNSET, Description, Nested, flag, go_list, quantity
from steersman.kubectl.printers import go_values
from steersman.meta import quantities
from steersman.meta.objects import Object

_VALUE_MAX = 140

# Label, field, and what an absent field shows: "" or a word, False for booleans, 0 for numbers, or a function of the source.
Line = tuple[str, str, "str | bool | int | Callable[[Object], str]"]


def write(d: Description, volumes: list[Object] | None, *, indent: str = "") -> None:
    """Volumes of a pod."""
    if not volumes:
        d.write(0, f"{indent}Volumes:\t{NONE}\n")
        return
    d.write(0, f"{indent}Volumes:\n")
    for volume in volumes:
        d.write(1, f"{' ' if indent else ''}{volume.get('name', '')}:\n")
        source(d, volume, _OF_PODS)


def persistent(d: Description, spec: Object) -> None:
    source(d, spec, _PERSISTENT)


def source(d: Description, holder: Object, table: Mapping[str, tuple[str, tuple[Line, ...]]]) -> None:
    kind = next((key for key in table if holder.get(key) is not None), None)
    if kind is None:
        d.write(1, "<unknown>\n")
        return
    found = holder[kind]
    if kind == "projected":
        _projected(d, found)
        return
    meaning, lines = table[kind]
    d.row(2, "Type:", meaning)
    if kind == "downwardAPI":
        _downward(d, found)
    for label, key, absent in lines:
        d.row(2, label, _shown(found, key, absent))
    if kind == "csi":
        _attributes(d, found.get("volumeAttributes"))
    if kind == "ephemeral" and found.get("volumeClaimTemplate"):
        from steersman.kubectl.describe import claims

        claims.specification(Nested(d, 2), found["volumeClaimTemplate"], whole=False)


def _shown(found: Object, key: str, absent: "str | bool | int | Callable[[Object], str]") -> str:
    if callable(absent):
        return absent(found)
    value = found.get(key)
    return go_values.show(absent if value is None else value)


def _projected(d: Description, found: Object) -> None:
    d.row(2, "Type:", "Projected (a volume that contains injected data from multiple sources)")
    for one in found.get("sources") or ():
        if one.get("secret") is not None:
            d.row(2, "SecretName:", one["secret"].get("name", ""))
            d.row(2, "Optional:", flag(one["secret"].get("optional")))
        elif one.get("downwardAPI") is not None:
            d.row(2, "DownwardAPI:", "true")
        elif one.get("configMap") is not None:
            d.row(2, "ConfigMapName:", one["configMap"].get("name", ""))
            d.row(2, "Optional:", flag(one["configMap"].get("optional")))
        elif one.get("serviceAccountToken") is not None:
            d.row(2, "TokenExpirationSeconds:", one["serviceAccountToken"].get("expirationSeconds", 0))


def _downward(d: Description, found: Object) -> None:
    d.write(2, "Items:\n")
    for item in found.get("items") or ():
        for key, part in (("fieldRef", "fieldPath"), ("resourceFieldRef", "resource")):
            if item.get(key) is not None:
                d.write(3, f"{item[key].get(part, '')} -> {item.get('path', '')}\n")


def _attributes(d: Description, attributes: Mapping[str, str] | None) -> None:
    d.write(2, "VolumeAttributes:\t")
    if not attributes:
        d.write(0, f"{NONE}\n")
    for at, (key, value) in enumerate(sorted((attributes or {}).items())):
        if at:
            d.write(2, "")
            d.write(2, "\t")
        line = f"{key}={value}"
        d.write(2, f"{line}\n" if len(line) <= _VALUE_MAX else f"{line[:_VALUE_MAX]}...\n")


def _reference(found: Object) -> str:
    """A LocalObjectReference as Go prints it."""
    reference = found.get("secretRef")
    return "nil" if reference is None else f"&LocalObjectReference{{Name:{reference.get('name', '')},}}"


def _secret_reference(found: Object) -> str:
    reference = found.get("secretRef")
    if reference is None:
        return "nil"
    return f"&SecretReference{{Name:{reference.get('name', '')},Namespace:{reference.get('namespace', '')},}}"


def _size_limit(found: Object) -> str:
    limit = found.get("sizeLimit")
    return quantity(limit) if limit is not None and quantities.parse(limit).nanos > 0 else UNSET


def _list(key: str) -> Callable[[Object], str]:
    return lambda found: go_list(found.get(key))


def _options(found: Object) -> str:
    return go_values.show(found.get("options") or {})


_READ_ONLY: Line = ("ReadOnly:", "readOnly", False)
_FS_TYPE: Line = ("FSType:", "fsType", "")
_DISK: tuple[Line, ...] = (_FS_TYPE, ("Partition:", "partition", 0), _READ_ONLY)


def _iscsi(secret: Callable[[Object], str]) -> tuple[Line, ...]:
    return (
        ("TargetPortal:", "targetPortal", ""),
        ("IQN:", "iqn", ""),
        ("Lun:", "lun", 0),
        ("ISCSIInterface", "iscsiInterface", ""),
        _FS_TYPE,
        _READ_ONLY,
        ("Portals:", "portals", _list("portals")),
        ("DiscoveryCHAPAuth:", "chapAuthDiscovery", False),
        ("SessionCHAPAuth:", "chapAuthSession", False),
        ("SecretRef:", "secretRef", secret),
        ("InitiatorName:", "initiatorName", NONE),
    )


def _rbd(secret: Callable[[Object], str]) -> tuple[Line, ...]:
    return (
        ("CephMonitors:", "monitors", _list("monitors")),
        ("RBDImage:", "image", ""),
        _FS_TYPE,
        ("RBDPool:", "pool", ""),
        ("RadosUser:", "user", ""),
        ("Keyring:", "keyring", ""),
        ("SecretRef:", "secretRef", secret),
        _READ_ONLY,
    )


def _ceph(secret: Callable[[Object], str]) -> tuple[Line, ...]:
    return (
        ("Monitors:", "monitors", _list("monitors")),
        ("Path:", "path", ""),
        ("User:", "user", ""),
        ("SecretFile:", "secretFile", ""),
        ("SecretRef:", "secretRef", secret),
        _READ_ONLY,
    )


def _cinder(secret: Callable[[Object], str]) -> tuple[Line, ...]:
    return ("VolumeID:", "volumeID", ""), _FS_TYPE, _READ_ONLY, ("SecretRef:", "secretRef", secret)


def _flex(secret: Callable[[Object], str]) -> tuple[Line, ...]:
    return (
        ("Driver:", "driver", ""),
        _FS_TYPE,
        ("SecretRef:", "secretRef", secret),
        _READ_ONLY,
        ("Options:", "options", _options),
    )


_SCALE_IO: tuple[Line, ...] = (
    ("Gateway:", "gateway", ""),
    ("System:", "system", ""),
    ("Protection Domain:", "protectionDomain", ""),
    ("Storage Pool:", "storagePool", ""),
    ("Storage Mode:", "storageMode", ""),
    ("VolumeName:", "volumeName", ""),
)
_ISCSI_MEANING = (
    "ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then exposed to the pod)"
)
_RBD_MEANING = "RBD (a Rados Block Device mount on the host that shares a pod's lifetime)"
_CEPH_MEANING = "CephFS (a CephFS mount on the host that shares a pod's lifetime)"
_CINDER_MEANING = "Cinder (a Persistent Disk resource in OpenStack)"
_FLEX_MEANING = (
    "FlexVolume (a generic volume resource that is provisioned/attached using an exec based plugin)"  # upstream's text
)
_SCALE_IO_MEANING = "ScaleIO (a persistent volume backed by a block device in ScaleIO)"
_GLUSTER_MEANING = "Glusterfs (a Glusterfs mount on the host that shares a pod's lifetime)"
_AZURE_FILE_MEANING = "AzureFile (an Azure File Service mount on the host and bind mount to the pod)"
_CSI_MEANING = "CSI (a Container Storage Interface (CSI) volume source)"

Table = dict[str, tuple[str, tuple[Line, ...]]]

# Both tables in the order in which upstream looks.
_EVERYWHERE: Table = {
    "hostPath": (
        "HostPath (bare host directory volume)",
        (("Path:", "path", ""), ("HostPathType:", "type", NONE)),
    ),
    "gcePersistentDisk": (
        "GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)",
        (("PDName:", "pdName", ""), *_DISK),
    ),
    "awsElasticBlockStore": (
        "AWSElasticBlockStore (a Persistent Disk resource in AWS)",
        (("VolumeID:", "volumeID", ""), *_DISK),
    ),
    "nfs": (
        "NFS (an NFS mount that lasts the lifetime of a pod)",
        (("Server:", "server", ""), ("Path:", "path", ""), _READ_ONLY),
    ),
    "quobyte": (
        "Quobyte (a Quobyte mount on the host that shares a pod's lifetime)",
        (("Registry:", "registry", ""), ("Volume:", "volume", ""), _READ_ONLY),
    ),
    "vsphereVolume": (
        "vSphereVolume (a Persistent Disk resource in vSphere)",
        (("VolumePath:", "volumePath", ""), _FS_TYPE, ("StoragePolicyName:", "storagePolicyName", "")),
    ),
    "azureDisk": (
        "AzureDisk (an Azure Data Disk mount on the host and bind mount to the pod)",
        (
            ("DiskName:", "diskName", ""),
            ("DiskURI:", "diskURI", ""),
            ("Kind: ", "kind", ""),
            _FS_TYPE,
            ("CachingMode:", "cachingMode", ""),
            _READ_ONLY,
        ),
    ),
    "photonPersistentDisk": (
        "PhotonPersistentDisk (a Persistent Disk resource in photon platform)",
        (("PdID:", "pdID", ""), _FS_TYPE),
    ),
    "portworxVolume": ("PortworxVolume (a Portworx Volume resource)", (("VolumeID:", "volumeID", ""),)),
    "storageos": (
        "StorageOS (a StorageOS Persistent Disk resource)",
        (("VolumeName:", "volumeName", ""), ("VolumeNamespace:", "volumeNamespace", ""), _FS_TYPE, _READ_ONLY),
    ),
    "fc": (
        "FC (a Fibre Channel disk)",
        (
            ("TargetWWNs:", "targetWWNs", lambda found: ", ".join(found.get("targetWWNs") or ())),
            ("LUN:", "lun", NONE),
            _FS_TYPE,
            _READ_ONLY,
        ),
    ),
    "flocker": (
        "Flocker (a Flocker volume mounted by the Flocker agent)",
        (("DatasetName:", "datasetName", ""), ("DatasetUUID:", "datasetUUID", "")),
    ),
}
_OF_PODS: Table = {
    **_EVERYWHERE,
    "emptyDir": (
        "EmptyDir (a temporary directory that shares a pod's lifetime)",
        (("Medium:", "medium", ""), ("SizeLimit:", "sizeLimit", _size_limit)),
    ),
    "gitRepo": (
        "GitRepo (a volume that is pulled from git when the pod is created)",
        (("Repository:", "repository", ""), ("Revision:", "revision", "")),
    ),
    "secret": (
        "Secret (a volume populated by a Secret)",
        (("SecretName:", "secretName", ""), ("Optional:", "optional", False)),
    ),
    "configMap": (
        "ConfigMap (a volume populated by a ConfigMap)",
        (("Name:", "name", ""), ("Optional:", "optional", False)),
    ),
    "persistentVolumeClaim": (
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        (("ClaimName:", "claimName", ""), _READ_ONLY),
    ),
    "ephemeral": (
        "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)",
        (),
    ),
    "downwardAPI": ("DownwardAPI (a volume populated by information about the pod)", ()),
    "projected": ("", ()),
    "iscsi": (_ISCSI_MEANING, _iscsi(_reference)),
    "glusterfs": (_GLUSTER_MEANING, (("EndpointsName:", "endpoints", ""), ("Path:", "path", ""), _READ_ONLY)),
    "rbd": (_RBD_MEANING, _rbd(_reference)),
    "cinder": (_CINDER_MEANING, _cinder(_reference)),
    "scaleIO": (_SCALE_IO_MEANING, (*_SCALE_IO, _FS_TYPE, _READ_ONLY)),
    "cephfs": (_CEPH_MEANING, _ceph(_reference)),
    "azureFile": (
        _AZURE_FILE_MEANING,
        (("SecretName:", "secretName", ""), ("ShareName:", "shareName", ""), _READ_ONLY),
    ),
    "flexVolume": (_FLEX_MEANING, _flex(_reference)),
    "csi": (_CSI_MEANING, (("Driver:", "driver", ""), _FS_TYPE, _READ_ONLY)),
    "image": (
        "Image (a container image or OCI artifact)",
        (("Reference:", "reference", ""), ("PullPolicy:", "pullPolicy", "")),
    ),
}
_PERSISTENT: Table = {
    **_EVERYWHERE,
    "local": ("LocalVolume (a persistent volume backed by local storage on a node)", (("Path:", "path", ""),)),
    "iscsi": (_ISCSI_MEANING, _iscsi(_secret_reference)),
    "glusterfs": (
        _GLUSTER_MEANING,
        (
            ("EndpointsName:", "endpoints", ""),
            ("EndpointsNamespace:", "endpointsNamespace", UNSET),
            ("Path:", "path", ""),
            _READ_ONLY,
        ),
    ),
    "rbd": (_RBD_MEANING, _rbd(_secret_reference)),
    "cinder": (_CINDER_MEANING, _cinder(_secret_reference)),
    "scaleIO": (
        _SCALE_IO_MEANING,
        (
            *_SCALE_IO,
            ("SecretName:", "", lambda found: (found.get("secretRef") or {}).get("name", "")),
            ("SecretNamespace:", "", lambda found: (found.get("secretRef") or {}).get("namespace", "")),
            _FS_TYPE,
            _READ_ONLY,
        ),
    ),
    "cephfs": (_CEPH_MEANING, _ceph(_secret_reference)),
    "azureFile": (
        _AZURE_FILE_MEANING,
        (
            ("SecretName:", "secretName", ""),
            ("SecretNamespace:", "secretNamespace", ""),
            ("ShareName:", "shareName", ""),
            _READ_ONLY,
        ),
    ),
    "flexVolume": (_FLEX_MEANING, _flex(_secret_reference)),
    "csi": (
        _CSI_MEANING,
        (("Driver:", "driver", ""), _FS_TYPE, ("VolumeHandle:", "volumeHandle", ""), _READ_ONLY),
    ),
}
