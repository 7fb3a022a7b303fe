"""The small files of a pod on its node: logs, termination messages, /etc/hosts."""

import dataclasses
import os
import threading
from pathlib import Path

from steersman.containers import runtime, scattered, trees
from steersman.kubelet import sandbox_config
from steersman.kubelet.options import Options
from steersman.meta import objects
from steersman.meta.objects import Object

# Upstream's limits for termination messages: of the file, and (policy FallbackToLogsOnError) of the log's end.
MESSAGE_MOST_BYTES = 4096
LOG_END_MOST_BYTES = 2048
LOG_END_MOST_LINES = 80

HOST_NETWORK_HEADER = "# Kubernetes-managed hosts file (host network).\n"


_writing_hosts = threading.Lock()  # containers of a pod are made side by side, and share the file


def prepare(options: Options) -> None:
    """The folders of all pods."""
    for folder_of_pods in (options.pods_dir, options.logs / "pods"):
        scattered.make(str(folder_of_pods))


def log_folder(pod: Object, options: Options) -> Path:
    return options.logs / _log_folder(pod)


def log_path(pod: Object, container: str, attempt: int, options: Options) -> Path:
    return options.logs / log_name(pod, container, attempt)


def log_name(pod: Object, container: str, attempt: int) -> str:
    """Its path below the node's logs."""
    return f"{_log_folder(pod)}/{container}/{attempt}.log"


def _log_folder(pod: Object) -> str:
    return f"pods/{objects.namespace(pod)}_{objects.name(pod)}_{objects.uid(pod)}"


def remove_log(pod: Object, container: str, attempt: int, options: Options) -> None:
    """The log of one instance, rotated parts included."""
    path = log_path(pod, container, attempt, options)
    for one in (path, *path.parent.glob(f"{path.name}.*")):
        one.unlink(missing_ok=True)


def remove_logs(pod: Object, options: Options) -> None:
    if (there := log_folder(pod, options)).exists():
        trees.remove(there)


def remove_logs_of_others(known: set[str], options: Options) -> None:
    """Logs of pods that are gone since a kubelet last looked."""
    parent = options.logs / "pods"
    if not parent.exists():
        return
    for there in parent.iterdir():
        if there.name.rpartition("_")[2] not in known:
            trees.remove(there)


def folder(uid: str, options: Options) -> Path:
    return options.pods_dir / uid


def termination_file(uid: str, container: str, attempt: int, options: Options) -> Path:
    """No folder for each container: one costs as much as all the rest of the file."""
    return options.pods_dir / f"{uid}/termination-log.{container}.{attempt}"


def make(
    pod: Object, container: Object, attempt: int, addresses: tuple[str, ...], options: Options
) -> list[runtime.Mount]:
    """Write what this instance needs; returns its mounts. Called in threads."""
    log_path(pod, container["name"], attempt, options).parent.mkdir(parents=True, exist_ok=True)
    message = termination_file(objects.uid(pod), container["name"], attempt, options)
    message.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(message, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        os.fchmod(file, 0o666)  # whatever the umask
    finally:
        os.close(file)
    taken = {mount["mountPath"].rstrip("/") for mount in container.get("volumeMounts") or []}
    made = [runtime.Mount(container.get("terminationMessagePath") or "/dev/termination-log", str(message))]
    if "/etc/hosts" not in taken:
        made.append(runtime.Mount("/etc/hosts", str(_write_hosts(pod, addresses, options))))
    return made


def _write_hosts(pod: Object, addresses: tuple[str, ...], options: Options) -> Path:
    path = folder(objects.uid(pod), options) / "etc-hosts"
    if pod["spec"].get("hostNetwork"):
        text = HOST_NETWORK_HEADER + Path("/etc/hosts").read_text() + sandbox_config.host_aliases(pod["spec"])
    else:
        text = sandbox_config.hosts_file(pod, addresses, options)
    with _writing_hosts:
        if _text_of(path) != text:
            path.write_text(text)
            path.chmod(0o644)
    return path


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def with_message(status: runtime.ContainerStatus, spec: Object, uid: str, options: Options) -> runtime.ContainerStatus:
    """An exit with what the container left as its last words."""
    if status.state is not runtime.State.EXITED:
        return status
    text = _read_end(termination_file(uid, status.name, status.attempt, options), MESSAGE_MOST_BYTES)
    wants_log = spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
    if not text and wants_log and status.exit_code != 0 and status.log_path:
        text = _log_end(Path(status.log_path))
    return dataclasses.replace(status, message=text) if text else status


def _read_end(path: Path, most_bytes: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - most_bytes))
            return file.read(most_bytes).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _log_end(path: Path) -> str:
    raw = _read_end(path, 4 * LOG_END_MOST_BYTES)
    records = [line.split(" ", 3) for line in raw.splitlines() if line.count(" ") >= 3]
    texts = [text + ("\n" if tag == "F" else "") for _, _, tag, text in records]
    return "".join(texts[-LOG_END_MOST_LINES:])[-LOG_END_MOST_BYTES:]
