"""`steersman simulate`: what would happen to a cluster that runs, tried on a copy of it on paper, in virtual time."""
