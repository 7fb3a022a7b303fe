"""Containers of containerd or CRI-O, over their socket (CRI v1)."""
