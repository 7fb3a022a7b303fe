"""kubectl's verbs, for any Kubernetes cluster: one file per verb, what is printed is pure."""
