"""Custom resources in the API server: kinds that come and go while it runs."""
