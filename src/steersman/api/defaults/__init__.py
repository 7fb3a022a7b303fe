"""Defaulting, one file per family of kinds: what the API fills in where the user says nothing.

Every function takes an object fresh from `schema.decode` and fills it in place: its maps and lists of objects are its own, but
maps and lists of plain strings may be shared with the caller, so these are replaced, never changed.
Defaulting again changes nothing. Values come from the API documentation of each field ("Defaults to …").
"""
