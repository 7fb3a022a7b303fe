"""Functions by family, each file a table of names and overloads."""
