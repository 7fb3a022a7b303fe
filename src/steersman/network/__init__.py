"""The pod network of a node: links, addresses, routes."""
