"""The whole cluster in one process and thread, in virtual time, with every fault from a seed, watched by invariants."""
