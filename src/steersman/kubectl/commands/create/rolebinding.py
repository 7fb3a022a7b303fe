"""`create rolebinding`: a role for users, groups and service accounts in one namespace."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, subjects, typed
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

FLAGS = (
    Flag("clusterrole", help="The cluster role they get here."),
    Flag("role", help="The role they get."),
    *subjects.flags("role"),
    *sending.FLAGS,
)
USAGE = (
    "NAME --clusterrole=NAME|--role=NAME [--user=username] [--group=groupname]"
    " [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]"
)


async def run(call: Call) -> None:
    name = sending.name_of(call)
    role, cluster_role = call.flags["role"], call.flags["clusterrole"]
    if bool(role) == bool(cluster_role):
        raise CommandError("exactly one of clusterrole or role must be specified")
    found = subjects.parse(call.flags)
    ref = subjects.role_ref("Role", role) if role else subjects.role_ref("ClusterRole", cluster_role)
    obj = generate(name, sending.namespace_of(call), ref, found)
    await sending.send(call, obj, "rolebindings.rbac.authorization.k8s.io", failed="failed to create rolebinding: ")


def generate(name: str, namespace: str, ref: Object, found: list[Object]) -> Object:
    obj: Object = {
        "kind": "RoleBinding",
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": typed.metadata(name, namespace),
    }
    return obj | ({"subjects": found} if found else {}) | {"roleRef": ref}
