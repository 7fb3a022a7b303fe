"""Where log collectors look: upstream's folders of logs are the node's own."""

from pathlib import Path

from steersman.containers.runtime import Mount
from steersman.kubelet import log_links, pod_files
from steersman.kubelet.options import Options
from steersman.kubelet.volumes import host_path
from tests.kubelet import world


def test_links_lead_to_logs_and_go_with_them(tmp_path: Path) -> None:
    options = Options(tmp_path)
    log_links.folder(options).mkdir(parents=True)
    pods = [world.pod("web"), world.pod("webs")]
    for pod in pods:
        pod["metadata"]["uid"] = f"uid-of-{pod['metadata']['name']}"
        for attempt in (0, 1):
            log = pod_files.log_path(pod, "main", attempt, options)
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(f"{attempt}")
            log_links.make(pod, "main", attempt, f"id-{attempt}", options)
            log_links.make(pod, "main", attempt, f"id-{attempt}", options)

    def there() -> list[str]:
        return sorted(one.name for one in log_links.folder(options).iterdir())

    assert there() == [f"{name}_default_main-id-{n}.log" for name in ("web", "webs") for n in (0, 1)]
    assert (log_links.folder(options) / "web_default_main-id-1.log").read_text() == "1"
    pod_files.remove_log(pods[0], "main", 0, options)
    log_links.remove(pods[0], "main", "id-0", options)
    assert there()[0] == "web_default_main-id-1.log"
    pod_files.remove_logs(pods[0], options)
    log_links.remove(pods[0], "main", "id-1", options)
    log_links.remove(pods[0], "main", "id-1", options)
    pod_files.remove_logs_of_others(set(), options)
    assert len(there()) == 2, "another pod's stay until somebody looks"
    log_links.remove_dead(options)
    assert there() == []


def test_a_name_that_is_too_long_is_cut() -> None:
    pod = world.pod("p" * 200)
    assert len(log_links.path(pod, "c" * 63, "i" * 64, Options(Path("/x"))).name) == 255


def test_the_machines_folder_of_logs_shows_those_of_the_node(tmp_path: Path) -> None:
    options = Options(tmp_path)
    mount = Mount("/logs", "/var/log", read_only=True)
    for folder in host_path.FOLDERS_OF_LOGS:
        assert host_path._on_machine(Path("/var/log") / folder / "x", options) == options.logs / folder / "x"
        made = [one for one in host_path.beside(mount, options) if one.container_path == f"/logs/{folder}"]
        assert made in ([], [Mount(f"/logs/{folder}", str(options.logs / folder), read_only=True)])
    assert host_path._on_machine(Path("/var/log/syslog"), options) == Path("/var/log/syslog")
    assert host_path.beside(Mount("/logs", "/var/lib"), options) == ()
