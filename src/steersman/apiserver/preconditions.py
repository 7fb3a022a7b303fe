"""The uid and resourceVersion that a client names: is the object still the one it knows?"""

from steersman.apiserver import deletion
from steersman.apiserver.call import Call
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.store.contract import Entry


def check_update(call: Call, new: Object, entry: Entry, old: Object) -> None:
    version, uid = new["metadata"].get("resourceVersion"), new["metadata"].get("uid")
    if uid and uid != old["metadata"].get("uid"):
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata'].get('uid')}"
        raise errors.conflict(call.kind.plural, call.target.name, why, call.kind.group)
    if version and version != str(entry.revision):
        if not version.isascii() or not version.isdigit():
            raise errors.bad_request(f'strconv.ParseUint: parsing "{version}": invalid syntax')
        raise call.conflict()


def check_delete(call: Call, name: str, options: deletion.Options, obj: Object, entry: Entry) -> None:
    uid = obj["metadata"].get("uid")
    why = ""
    if options.uid and options.uid != uid:
        why = f"Precondition failed: UID in precondition: {options.uid}, UID in object meta: {uid}"
    elif options.resource_version and options.resource_version != str(entry.revision):
        why = (
            f"Precondition failed: ResourceVersion in precondition: {options.resource_version}, "
            f"ResourceVersion in object meta: {entry.revision}"
        )
    if why:
        raise errors.conflict(call.kind.plural, name, why, call.kind.group)
