"""Container runtimes behind one CRI-shaped interface: embedded (crun, runc) and fake."""
