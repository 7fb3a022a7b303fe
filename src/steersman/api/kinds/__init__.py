"""The table of kinds: one row per kind and version, a file per API group, all of them names of this package (`kinds.POD`).

A new kind is a row in its group's file and, where needed, functions for its columns, defaults and validation:
`docs/checklists/new-kind.md`. A new file is a line in each of the two lists below.
"""

from types import ModuleType

from steersman.api.kind import Kind, Kinds
from steersman.api.kinds import (
    admission,
    apps,
    autoscaling,
    batch,
    certificates,
    coordination,
    core,
    events,
    extensions,
    flowcontrol,
    lifecycle,
    network,
    node,
    policy,
    rbac,
    registration,
    resource,
    scheduling,
    storage,
    storage_versions,
)
from steersman.api.kinds.admission import *
from steersman.api.kinds.apps import *
from steersman.api.kinds.autoscaling import *
from steersman.api.kinds.batch import *
from steersman.api.kinds.certificates import *
from steersman.api.kinds.coordination import *
from steersman.api.kinds.core import *
from steersman.api.kinds.events import *
from steersman.api.kinds.extensions import *
from steersman.api.kinds.flowcontrol import *
from steersman.api.kinds.lifecycle import *
from steersman.api.kinds.network import *
from steersman.api.kinds.node import *
from steersman.api.kinds.policy import *
from steersman.api.kinds.rbac import *
from steersman.api.kinds.registration import *
from steersman.api.kinds.resource import *
from steersman.api.kinds.scheduling import *
from steersman.api.kinds.storage import *
from steersman.api.kinds.storage_versions import *

# In the order of discovery: the core group first.
_GROUPS: tuple[ModuleType, ...] = (
    *(
        core,
        apps,
        events,
        autoscaling,
        batch,
        network,
        policy,
        coordination,
        rbac,
        scheduling,
        node,
        certificates,
        extensions,
    ),
    *(storage, storage_versions, lifecycle, admission, resource, registration, flowcontrol),
)

BUILTIN = Kinds(row for group in _GROUPS for row in vars(group).values() if isinstance(row, Kind))
