"""Who asked for what, when, and what came of it, written down as the policy says: audit.k8s.io/v1."""
