"""NetworkPolicies: which pods may speak to which, enforced on the node of each."""
