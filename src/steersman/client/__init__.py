"""How every part talks to the API server: requests, transports, the list-and-watch cache, events."""
