"""The files of a kustomization. A kustomization may read what is in or below its own folder, and other kustomizations."""

import dataclasses
import pathlib
import re

from steersman.kubectl.kustomize.errors import KustomizeError

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_REMOTE = re.compile(r"^[a-z+]+://|^git@|^git::|^(github\.com|bitbucket\.org)[/:]|//.*\?ref=|\.git(\?|$)")


@dataclasses.dataclass(frozen=True, slots=True)
class Folder:
    """One kustomization's folder. `restricted`: its files must lie in or below it."""

    path: pathlib.Path
    restricted: bool = True

    @classmethod
    def open(cls, name: str, *, restricted: bool = True) -> "Folder":
        if is_remote(name):
            raise remote(name)
        path = pathlib.Path(name)
        if not path.exists():
            raise KustomizeError(
                f"must build at directory: not a valid directory: {missing(name, pathlib.Path(_clean(str(path.absolute()))))}"
            )
        if not path.is_dir():
            raise KustomizeError(f"must build at directory: '{name}': file is not directory")
        return cls(path.resolve(), restricted)

    def child(self, name: str) -> "Folder":
        """Raises KustomizeError where it is no folder, or a folder this one is in (a circle)."""
        path = (self.path / name).resolve()
        if not path.exists():
            raise KustomizeError(
                f"must build at directory: not a valid directory: {missing(_clean(str(self.path / name)), path)}"
            )
        if not path.is_dir():
            raise KustomizeError(f"must build at directory: '{path}': file is not directory")
        if self.path.is_relative_to(path):
            raise KustomizeError(f"cycle detected: candidate root '{path}' contains visited root '{self.path}'")
        return Folder(path, self.restricted)

    def kustomization(self) -> bytes:
        found = [self.path / name for name in NAMES if (self.path / name).is_file()]
        if not found:
            raise KustomizeError(
                "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory "
                f"'{self.path}'"
            )
        if len(found) > 1:
            raise KustomizeError(f"Found multiple kustomization files: {self.path}\n")
        return found[0].read_bytes()

    def read(self, name: str) -> bytes:
        """A file of this kustomization. Raises KustomizeError."""
        path = (self.path / name).resolve()
        shown = str(pathlib.PurePosixPath(self.path / name)) if not name.startswith("/") else name
        if not path.exists():
            raise KustomizeError(missing(_clean(shown), path))
        if path.is_dir():
            raise KustomizeError(f"'{path}' must resolve to a file")
        if self.restricted and not path.is_relative_to(self.path):
            raise KustomizeError(f"security; file '{path}' is not in or below '{self.path}'")
        return path.read_bytes()


def missing(shown: str, path: pathlib.Path) -> str:
    return f"evalsymlink failure on '{shown}' : lstat {path}: no such file or directory"


def is_remote(name: str) -> bool:
    return bool(_REMOTE.search(name))


def remote(name: str) -> KustomizeError:
    return KustomizeError(
        f"'{name}' is not on this machine: remote resources are not fetched; clone them and name the folder"
    )


def _clean(name: str) -> str:
    import posixpath

    return posixpath.normpath(name)
