"""Who a container runs as: from the pod, from the image, from the image's /etc/passwd and /etc/group. Pure."""

import dataclasses

from steersman.containers import runtime


class UnknownUser(ValueError):
    """The image has no such user or group; the text is for the user."""


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Accounts:
    """The texts of an image's /etc/passwd and /etc/group; empty where it has none."""

    passwd: str = ""
    group: str = ""

    def find(self, security: runtime.Security, image_user: str) -> User:
        """`image_user` as in an image: `name`, `uid`, `name:group`, `uid:gid`. Raises UnknownUser."""
        who, _, group = image_user.partition(":")
        if security.run_as_user is not None:
            who, group = str(security.run_as_user), ""
        elif security.run_as_username:
            who, group = security.run_as_username, ""
        entry = self._user(who or "0")
        gid = int(entry[3])
        if security.run_as_group is not None:
            gid = security.run_as_group
        elif group:
            gid = self._group(group)
        member_of = self._memberships(entry[0]) if entry[0] and not security.only_those_groups else ()
        groups = tuple(dict.fromkeys((gid, *member_of, *security.supplemental_groups)))
        return User(int(entry[2]), gid, groups, entry[5] or "/")

    def _user(self, who: str) -> list[str]:
        """A passwd line's fields. A number needs none: an unknown uid has group 0 and no name."""
        lines = [line.split(":") for line in self.passwd.splitlines()]
        entries = [fields for fields in lines if len(fields) >= 7 and fields[2].isdigit() and fields[3].isdigit()]
        for fields in entries:
            if fields[0] == who:
                return fields
        if not who.isdigit():
            raise UnknownUser(f"unable to find user {who}: no matching entries in passwd file")
        for fields in entries:
            if fields[2] == who:
                return fields
        return ["", "", who, "0", "", "", ""]

    def _group(self, group: str) -> int:
        for fields in self._groups():
            if fields[0] == group:
                return int(fields[2])
        if not group.isdigit():
            raise UnknownUser(f"unable to find group {group}: no matching entries in group file")
        return int(group)

    def _memberships(self, name: str) -> tuple[int, ...]:
        return tuple(int(fields[2]) for fields in self._groups() if name in fields[3].split(","))

    def _groups(self) -> list[list[str]]:
        lines = [line.split(":") for line in self.group.splitlines()]
        return [fields for fields in lines if len(fields) >= 4 and fields[2].isdigit()]
