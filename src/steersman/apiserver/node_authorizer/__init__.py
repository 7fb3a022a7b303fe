"""What a node's certificate may do: what the node needs for the pods that are bound to it, and no more."""
