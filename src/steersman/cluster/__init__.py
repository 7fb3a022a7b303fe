"""The composition root: starts, stops and supervises the parts, and wires them together."""
