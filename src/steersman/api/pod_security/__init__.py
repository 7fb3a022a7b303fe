"""The Pod Security Standards: which pods are privileged, baseline or restricted, release by release. Pure."""
