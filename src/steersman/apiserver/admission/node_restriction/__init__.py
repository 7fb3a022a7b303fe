"""NodeRestriction: what a kubelet may write, once authorization let its request through."""
