"""`create clusterrolebinding`: a cluster role for users, groups and service accounts, everywhere."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, subjects, typed
from steersman.kubectl.flags import Flag
from steersman.meta.objects import Object

FLAGS = (
    Flag("clusterrole", help="The cluster role they get."),
    *subjects.flags("clusterrole"),
    *sending.FLAGS,
)
USAGE = (
    "NAME --clusterrole=NAME [--user=username] [--group=groupname]"
    " [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]"
)


async def run(call: Call) -> None:
    sending.require(call, "clusterrole")
    name = sending.name_of(call)
    ref = subjects.role_ref("ClusterRole", call.flags["clusterrole"])
    obj = generate(name, ref, subjects.parse(call.flags))
    await sending.send(
        call, obj, "clusterrolebindings.rbac.authorization.k8s.io", failed="failed to create clusterrolebinding: "
    )


def generate(name: str, ref: Object, found: list[Object]) -> Object:
    obj: Object = {
        "kind": "ClusterRoleBinding",
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": typed.metadata(name),
    }
    return obj | ({"subjects": found} if found else {}) | {"roleRef": ref}
