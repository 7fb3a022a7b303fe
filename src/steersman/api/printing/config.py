"""How ConfigMaps, Secrets, ServiceAccounts and RBAC objects print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta.objects import Object

CONFIG_MAP_COLUMNS = (cells.NAME, Column("Data", field="data"), cells.AGE)
SECRET_COLUMNS = (cells.NAME, Column("Type", field="type"), Column("Data", field="data"), cells.AGE)
SERVICE_ACCOUNT_COLUMNS = (cells.NAME, Column("Secrets", field="secrets"), cells.AGE)


def _binding_columns(what: str) -> tuple[Column, ...]:
    return (
        cells.NAME,
        Column("Role", field="roleRef"),
        cells.AGE,
        Column("Users", description=f"Users in the {what}", priority=1),
        Column("Groups", description=f"Groups in the {what}", priority=1),
        Column("ServiceAccounts", description=f"ServiceAccounts in the {what}", priority=1),
    )


ROLE_BINDING_COLUMNS = _binding_columns("roleBinding")
CLUSTER_ROLE_BINDING_COLUMNS = _binding_columns("clusterRoleBinding")

# Upstream prints roles with their creation time in full.
ROLE_COLUMNS = (cells.NAME, Column("Created At", "date", field="metadata.creationTimestamp"))


def config_map(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), cells.age(obj, now)]


def secret(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), obj.get("type", ""), len(obj.get("data") or ()), cells.age(obj, now)]


def service_account(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), len(obj.get("secrets") or ()), cells.age(obj, now)]


def role(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), obj["metadata"].get("creationTimestamp")]


def binding(obj: Object, now: datetime.datetime) -> list[Any]:
    reference, subjects = obj.get("roleRef") or {}, obj.get("subjects") or ()
    accounts = [
        f"{one.get('namespace', '')}/{one.get('name', '')}" for one in subjects if one.get("kind") == "ServiceAccount"
    ]
    return [
        cells.name(obj),
        f"{reference.get('kind', '')}/{reference.get('name', '')}",
        cells.age(obj, now),
        ", ".join(one.get("name", "") for one in subjects if one.get("kind") == "User"),
        ", ".join(one.get("name", "") for one in subjects if one.get("kind") == "Group"),
        ", ".join(accounts),
    ]
