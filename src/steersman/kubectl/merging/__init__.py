"""Three versions of an object become one patch: what was applied last, what shall be applied, what the server has. Pure."""
