"""Patches: JSON patch, merge patch, strategic merge patch. Pure: (object, patch) → new object, inputs untouched.

Structure is shared between the result and the inputs where nothing changed; nobody changes objects in place.
"""
