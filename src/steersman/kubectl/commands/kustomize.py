"""`kubectl kustomize`: what a kustomization comes to, without a cluster."""

import pathlib

from steersman.kubectl import flags, go_yaml
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.kustomize import build
from steersman.kubectl.problems import CommandError

_UNRESTRICTED = "LoadRestrictionsNone"
_RESTRICTED = "LoadRestrictionsRootOnly"

# Flags of programs that kustomize could run: they are taken, and without such programs have no meaning.
FLAGS = (
    Flag("as-current-user", flags.BOOL, help="Of functions in containers, which are not run."),
    Flag("enable-alpha-plugins", flags.BOOL, help="Of plugins, which are not run."),
    Flag("enable-helm", flags.BOOL, help="Of Helm charts, which are not rendered."),
    Flag("env", flags.STRINGS, short="e", help="Of functions in containers, which are not run."),
    Flag("helm-api-versions", flags.STRINGS, help="Of Helm charts, which are not rendered."),
    Flag("helm-command", default="helm", help="Of Helm charts, which are not rendered."),
    Flag("helm-debug", flags.BOOL, help="Of Helm charts, which are not rendered."),
    Flag("helm-kube-version", help="Of Helm charts, which are not rendered."),
    Flag(
        "load-restrictor",
        default=_RESTRICTED,
        help="LoadRestrictionsNone lets a kustomization read files outside of its folder.",
    ),
    Flag("mount", flags.STRINGS, help="Of functions in containers, which are not run."),
    Flag("network", flags.BOOL, help="Of functions in containers, which are not run."),
    Flag("network-name", default="bridge", help="Of functions in containers, which are not run."),
    Flag("output", short="o", help="Write to this file, or into this folder a file for each object."),
)
USAGE = "DIR [flags]"
HELP = "Print what a kustomization comes to: resources, patched, renamed and labelled as its kustomization.yaml says."
EXAMPLES = """
# The folder we are in
{program} kustomize

# Another one
{program} kustomize overlays/prod
"""


async def run(call: Call) -> None:
    if len(call.arguments) > 1:
        raise CommandError("specify one path to kustomization.yaml")
    restrictor = call.flags["load-restrictor"]
    if restrictor not in (_RESTRICTED, _UNRESTRICTED):
        raise CommandError(
            f"illegal flag value --load-restrictor {restrictor}; legal values: [{_RESTRICTED} {_UNRESTRICTED}]"
        )
    folder = call.arguments[0] if call.arguments else "."
    objects = build.objects(folder, call.write_error, restricted=restrictor == _RESTRICTED)
    output = call.flags["output"]
    if not output:
        call.write("---\n".join(map(go_yaml.dump, objects)))
    elif pathlib.Path(output).is_dir():
        for obj in objects:
            pathlib.Path(output, _file_name(obj)).write_text(go_yaml.dump(obj))
    else:
        pathlib.Path(output).write_text("---\n".join(map(go_yaml.dump, objects)))


def _file_name(obj: dict[str, object]) -> str:
    meta = obj.get("metadata")
    name = meta.get("name", "") if isinstance(meta, dict) else ""
    place = str(obj.get("apiVersion", "")).replace("/", "_")
    return f"{place}_{str(obj.get('kind', '')).lower()}_{name}.yaml"
