"""The protobuf of Kubernetes' own clients: bodies of typed Go clients (client-go ≥ 0.32), OpenAPI v2 for kubectl < 1.28."""
