"""CSI drivers on this node: their registration, and their volumes."""
