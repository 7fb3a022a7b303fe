"""Logins of pull secrets, and of the node itself: which fit an image's registry, and whose they are. Pure, but for `of_node`.

Source: the Kubernetes documentation "Pull an Image from a Private Registry" and upstream's credentialprovider/secrets.
"""

import base64
import binascii
import dataclasses
import hashlib
import json
import logging
from collections.abc import Iterable
from pathlib import Path

from steersman.containers.runtime import RegistryLogin, RuntimeFailure
from steersman.kubelet import references
from steersman.kubelet.credentials import keyring
from steersman.meta import objects
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Credential:
    """A login, and the Secret that it is of, or the service account that a provider made it for (none: the node's, for all its
    pods). `hash` tells equal logins of different Secrets, and says nothing of them."""

    login: RegistryLogin
    uid: str = ""
    name: str = ""
    namespace: str = ""
    is_of_account: bool = False

    @property
    def hash(self) -> str:
        text = json.dumps([self.login.username, self.login.password])
        return hashlib.sha256(text.encode()).hexdigest()


def credentials_of(secret: Object, image: str) -> list[Credential]:
    """The logins of a dockerconfigjson or dockercfg Secret for an image, by its name. Raises RuntimeFailure."""
    whose = objects.uid(secret), objects.name(secret), objects.namespace(secret)
    return [Credential(login, *whose) for login in _logins(secret, image)]


def of_node(file: Path, image: str) -> list[Credential]:
    """From a Docker config.json, where there is one that can be read."""
    try:
        entries = json.loads(file.read_text()).get("auths") or {}
        return [Credential(login) for login in _fitting(entries, image) if login.username]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, AttributeError, binascii.Error) as error:
        _log.warning("logins of the node: %s: %s", file, error)
        return []


def _logins(secret: Object, image: str) -> Iterable[RegistryLogin]:
    data = references.binary_data(secret)
    try:
        if ".dockerconfigjson" in data:
            entries = json.loads(data[".dockerconfigjson"]).get("auths") or {}
        else:
            entries = json.loads(data.get(".dockercfg", b"{}"))
        return _fitting(entries, image)
    except (ValueError, AttributeError, binascii.Error) as error:
        raise RuntimeFailure("ErrImagePull", f"pull secret {objects.name(secret)} cannot be read: {error}") from error


def _fitting(entries: Object, image: str) -> list[RegistryLogin]:
    return [_login(entry) for entry in keyring.fitting(entries, image)]


def _login(entry: Object) -> RegistryLogin:
    if entry.get("auth"):
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        return RegistryLogin(user, password)
    return RegistryLogin(entry.get("username", ""), entry.get("password", ""))
