"""metrics.k8s.io: what nodes and pods use of processors and memory, asked of their kubelets when somebody wants to know.

`usage` makes rates of two looks (pure), `kubelets` looks, `answers` are the kinds and what is answered. Upstream leaves this to
metrics-server, which looks every 15 s whether anybody asks or not.
"""
