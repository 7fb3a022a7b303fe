"""What the CronJob controller watches and sees."""

from collections.abc import Iterable

from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.controllers import indexes
from steersman.controllers.cronjob import decide
from steersman.controllers.cronjob.decide import Seen
from steersman.controllers.loop import Controller, Look, Watch
from steersman.meta import objects, owners
from steersman.meta.objects import Object

KIND = "CronJob"


def controller() -> Controller:
    return Controller(
        name="cronjob-controller",
        watches=(Watch(kinds.CRON_JOB, lambda caches, obj: (objects.key(obj),)), Watch(kinds.JOB, keys_of_job)),
        observe=observe,
        decide=decide.decide,
        indexes=(indexes.by_controller(kinds.JOB),),
    )


def keys_of_job(caches: Caches, job: Object) -> Iterable[str]:
    reference = owners.controller_of(job)
    if reference is None or reference["kind"] != KIND:
        return ()
    return (f"{objects.namespace(job)}/{reference['name']}",)


def observe(look: Look, key: str) -> Seen | None:
    found = look.caches.of(kinds.CRON_JOB).get(key)
    if found is None:
        return None
    jobs = look.caches.of(kinds.JOB).by_index(indexes.CONTROLLER, objects.uid(found))
    return Seen(found, jobs, look.now, look.failure)
