"""Who owns which field of an object: field sets, their types, and the entries of `metadata.managedFields`. Pure.

Read in this order: `sets` (what a field set is), `types` and `compiling` (what a schema says about ownership), `entries`
(the list as clients see it), `updating` (what a write does to it). Server-side apply itself is `api.patches.apply`.
"""
