"""APIServices: groups and versions that somebody else serves, and the order in which all of them are preferred."""
