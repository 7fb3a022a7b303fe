"""Container images: their names, archives, registries and the node's store of them."""
