"""API Priority and Fairness: which requests may run at one time, and which wait for whom."""
