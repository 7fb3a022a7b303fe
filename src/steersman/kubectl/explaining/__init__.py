"""Documentation of kinds and fields, made from a server's OpenAPI documents. Pure."""
