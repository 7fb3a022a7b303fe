"""Objects as text: `-o` names a printer."""

from steersman.kubectl.printers.choose import Printer, make

__all__ = ["Printer", "make"]
