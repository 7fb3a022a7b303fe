"""Clock, tasks, backoff, work queue: the only part that touches timers, randomness and wall time."""
