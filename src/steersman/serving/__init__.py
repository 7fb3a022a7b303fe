"""HTTPS and the streaming protocols (WebSocket channels, SPDY/3.1) that the API server and the kubelet both serve."""
