"""Validation, one file per family of kinds: pure functions (new, old) → field errors, with upstream's paths and texts.

They see defaulted objects that have passed `schema.decode`, so types are right and only values are in question.
"""
