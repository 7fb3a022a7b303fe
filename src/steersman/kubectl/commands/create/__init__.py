"""`create` and its generators, one file each: `generate` (pure: options → object) and `run`, which sends it.

The objects stand in the order of upstream's Go structs, with the zeros that these print: `-o json`, `-o yaml` and the
annotation of `--save-config` show them so.
"""
