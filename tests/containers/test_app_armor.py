"""Which AppArmor profile a container runs under; the profile of RuntimeDefault is one that the parser takes."""

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest

from steersman.containers import app_armor
from steersman.containers.oci import spec
from steersman.containers.runtime import ContainerConfig, Security
from tests.containers import test_oci_spec


@pytest.fixture
def machine(tmp_path: Path) -> str:
    """One with AppArmor and a profile loaded."""
    (tmp_path / "module/apparmor/parameters").mkdir(parents=True)
    (tmp_path / "module/apparmor/parameters/enabled").write_text("Y\n")
    (tmp_path / "kernel/security/apparmor").mkdir(parents=True)
    (tmp_path / "kernel/security/apparmor/profiles").write_text("mine (enforce)\nwith (brackets) (complain)\n")
    return str(tmp_path)


def test_whether_the_machine_has_it(machine: str, tmp_path: Path):
    assert app_armor.is_enabled(machine)
    assert not app_armor.is_enabled(str(tmp_path / "none"))
    (tmp_path / "module/apparmor/parameters/enabled").write_text("N\n")
    assert not app_armor.is_enabled(machine)


PROFILES = {
    "nothing said": (Security(), app_armor.DEFAULT),
    "nothing said, privileged": (Security(privileged=True), ""),
    "default": (Security(app_armor="RuntimeDefault"), app_armor.DEFAULT),
    "default, privileged": (Security(app_armor="RuntimeDefault", privileged=True), ""),
    "none": (Security(app_armor="Unconfined"), ""),
    "loaded": (Security(app_armor="Localhost/mine"), "mine"),
    "loaded, privileged": (Security(app_armor="Localhost/with (brackets)", privileged=True), "with (brackets)"),
}


@pytest.mark.parametrize(("security", "expected"), PROFILES.values(), ids=PROFILES.keys())
def test_the_profile(machine: str, security: Security, expected: str):
    assert app_armor.profile(security, is_usable=True, sys=machine) == expected


REFUSED = {
    "not loaded": (Security(app_armor="Localhost/other"), True, "apparmor profile not found other"),
    "not there": (Security(app_armor="RuntimeDefault"), False, "apparmor is not supported"),
    "not there, by name": (Security(app_armor="Localhost/mine"), False, "apparmor is not supported"),
}


@pytest.mark.parametrize(("security", "usable", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(machine: str, security: Security, usable: bool, message: str):
    with pytest.raises(app_armor.NotUsable) as refused:
        app_armor.profile(security, is_usable=usable, sys=machine)
    assert str(refused.value) == message


def test_it_stands_in_the_specification_and_for_execs():
    facts = dataclasses.replace(test_oci_spec.FACTS, app_armor=True)
    process = test_oci_spec.made(facts=facts)["process"]
    assert process["apparmorProfile"] == app_armor.DEFAULT
    assert spec.exec_process(process, ["sh"], tty=False)["apparmorProfile"] == app_armor.DEFAULT
    unconfined = dataclasses.replace(test_oci_spec.CONFIG, security=Security(app_armor="Unconfined"))
    assert "apparmorProfile" not in test_oci_spec.made(unconfined, facts=facts)["process"]
    assert "apparmorProfile" not in test_oci_spec.made()["process"]


def test_a_profile_that_cannot_be_refuses_the_container():
    config: ContainerConfig = dataclasses.replace(
        test_oci_spec.CONFIG, security=Security(app_armor="Localhost/one-that-is-nowhere")
    )
    with pytest.raises(spec.InvalidContainer, match="apparmor is not supported"):
        test_oci_spec.made(config)


def test_the_parser_takes_the_default_profile():
    parser = shutil.which("apparmor_parser", path="/usr/sbin:/sbin:/usr/bin")
    if parser is None:
        pytest.skip("needs apparmor_parser")
    checked = subprocess.run([parser, "-QKT"], input=app_armor.PROFILE, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
