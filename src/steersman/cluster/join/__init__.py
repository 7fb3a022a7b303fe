"""`steersman join`: this machine becomes a node of a cluster that another machine runs."""
