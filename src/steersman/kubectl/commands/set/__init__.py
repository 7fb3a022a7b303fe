"""`set`: one thing of an object changed: what changes is pure, `updating` finds, patches and prints."""
