"""What the store still knows of earlier: the API as it was, each object's changes, and why each was written."""
