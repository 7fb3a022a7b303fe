"""`steersman at`, `history` and `why`: the command line's side of what the API server still knows of earlier."""
