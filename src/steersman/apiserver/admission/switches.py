"""Which admission plugins work: `--enable-admission-plugins` and `--disable-admission-plugins`, by upstream's names. Pure."""

import dataclasses
from collections.abc import Set

ON = frozenset((
    *("NamespaceLifecycle", "LimitRanger", "ServiceAccount", "NodeRestriction", "TaintNodesByCondition", "PodSecurity"),
    *("Priority", "DefaultTolerationSeconds", "DefaultStorageClass", "StorageObjectInUseProtection"),
    *("PersistentVolumeClaimResize", "RuntimeClass", "ClusterTrustBundleAttest", "DefaultIngressClass", "ResourceQuota"),
    *("PodTopologyLabels", "NodeDeclaredFeatureValidator"),
    *("MutatingAdmissionPolicy", "MutatingAdmissionWebhook", "ValidatingAdmissionPolicy", "ValidatingAdmissionWebhook"),
))  # fmt: skip
"""Those that work unless they are switched off."""
OFF = frozenset((
    *("AlwaysPullImages", "DenyServiceExternalIPs", "ExtendedResourceToleration", "LimitPodHardAntiAffinityTopology"),
))  # fmt: skip
"""Those that are there for who wants them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Switches:
    enabled: Set[str] = frozenset()
    disabled: Set[str] = frozenset()

    def has(self, name: str) -> bool:
        """Whether the plugin works; what has no name there cannot be switched off."""
        return name not in self.disabled and (name not in OFF or name in self.enabled)


DEFAULT = Switches()


def parse(names: str) -> frozenset[str]:
    """Of a list with commas between. Raises ValueError for a plugin that is not here."""
    found = frozenset(filter(None, (name.strip() for name in names.split(","))))
    unknown = sorted(found - ON - OFF)
    if unknown:
        raise ValueError(f"no admission plugin that can be switched: {', '.join(unknown)}")
    return found


def of(enabled: str, disabled: str) -> Switches:
    """Raises ValueError, also for a plugin that is in both lists."""
    on, off = parse(enabled), parse(disabled)
    if on & off:
        raise ValueError(f"enabled and disabled at once: {', '.join(sorted(on & off))}")
    return Switches(on, off)
