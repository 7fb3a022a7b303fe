"""Unpack a Go toolchain and client-go, as Debian's newest packages have them, into a folder of their own; nothing is installed.

`python tests/clients/go/fetch.py FOLDER`, then `STEERSMAN_TEST_GO=FOLDER script/test tests/clients/test_go.py --long`.
Some 330 packages, 290 MB; a minute. The mirror is the one that apt uses.
"""

import lzma
import pathlib
import re
import subprocess
import sys
import urllib.request

WANTED = ("golang-1.26-go", "golang-1.26-src", "golang-k8s-client-go-dev")
SUITE = "sid"


def mirror() -> str:
    """Where apt gets Debian's packages from."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)"], capture_output=True, text=True, check=True
    )
    return next(line for line in listed.stdout.splitlines() if re.search(r"/debian/?$", line)).rstrip("/")


def index(base: str) -> dict[str, dict[str, str]]:
    """Package → the fields of its entry."""
    with urllib.request.urlopen(f"{base}/dists/{SUITE}/main/binary-amd64/Packages.xz") as answer:
        text = lzma.decompress(answer.read()).decode()
    entries = (dict(re.findall(r"^(\S+): (.*)$", block, re.MULTILINE)) for block in text.split("\n\n"))
    return {entry["Package"]: entry for entry in entries if "Package" in entry}


def needed(packages: dict[str, dict[str, str]]) -> set[str]:
    """The wanted packages and the libraries in Go that they are built from."""
    provided = {
        name.split()[0]: package
        for package, entry in packages.items()
        for name in entry.get("Provides", "").split(", ")
        if name
    }
    found: set[str] = set()
    left = list(WANTED)
    while left:
        name = left.pop()
        name = name if name in packages else provided.get(name, name)
        if name in packages and name not in found:
            found.add(name)
            first = (one.split("|")[0].split()[0] for one in packages[name].get("Depends", "").split(", ") if one)
            left += [one for one in first if re.match("golang-.*-dev$", one)]
    return found


def main(folder: pathlib.Path) -> None:
    base = mirror()
    packages = index(base)
    folder.mkdir(parents=True, exist_ok=True)
    package = folder / "package.deb"
    for name in sorted(needed(packages)):
        urllib.request.urlretrieve(f"{base}/{packages[name]['Filename']}", package)
        subprocess.run(["dpkg", "-x", package, folder], check=True)
    package.unlink()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
