"""What `kubectl get` shows: columns and cells per kind, and the Table object that carries them."""
