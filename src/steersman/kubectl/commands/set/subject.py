"""`set subject`: more users, groups and service accounts for a binding."""

from steersman.kubectl import writes
from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import subjects
from steersman.kubectl.commands.set import updating
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

FLAGS = (*updating.FLAGS, *subjects.flags("role"))
USAGE = (
    "(-f FILENAME | TYPE NAME) [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] "
    "[--dry-run=server|client|none]"
)
HELP = "Update the user, group, or service account in a role binding or cluster role binding."
EXAMPLES = """
{program} set subject clusterrolebinding admin --serviceaccount=namespace:serviceaccount1
"""


async def run(call: Call) -> None:
    flags = call.flags
    infos = await updating.find(call, call.arguments)
    if flags["local"] and writes.dry_run(call) == writes.SERVER:
        raise CommandError(updating.NO_LOCAL_SERVER)
    if flags["all"] and flags["selector"]:
        raise CommandError("cannot set --all and --selector at the same time")
    if not (flags["user"] or flags["group"] or flags["serviceaccount"]):
        raise CommandError("you must specify at least one value of user, group or serviceaccount")
    new = subjects.parse(flags)

    def change(obj: Object) -> None:
        add_subjects(obj, new)

    update = updating.Update(change, "subjects updated", "failed to patch subjects to rolebinding: ")
    await updating.update(call, infos, update)


def add_subjects(obj: Object, new: list[Object]) -> None:
    """Raises CommandError."""
    if obj.get("kind") not in ("RoleBinding", "ClusterRoleBinding"):
        raise CommandError("setting subjects is only supported for RoleBinding/ClusterRoleBinding")
    found = list(obj.get("subjects") or ())
    found += [one for one in new if one not in found]
    obj["subjects"] = found
