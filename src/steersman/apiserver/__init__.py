"""The request path: authenticate, authorise, decode, admit, validate, store, encode."""
