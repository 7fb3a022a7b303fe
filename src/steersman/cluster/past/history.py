"""`steersman history OBJECT`: its changes, who made them, and what they were."""

from steersman.cluster import paths
from steersman.cluster.past import asking, story


def run(words: tuple[str, ...], namespace: str, name: str, data_dir: str | None) -> int:
    with asking.told():
        api, _ = asking.access(paths.of_cluster(name, data_dir), name)
        found = asking.find(api, words, namespace)
        told = asking.ask(api, f"/steersman/history{found.path}")
        print(
            story.text(story.of_changes(told["changes"], {}))
            or f"{found} was not changed since revision {told['keptFrom']}."
        )
    return 0
