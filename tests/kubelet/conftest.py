"""Fixtures of the runtime's tests, for the kubelet with real containers."""

from tests.containers.conftest import clean_machine, clock, group, hello_archive

__all__ = ["clean_machine", "clock", "group", "hello_archive"]
