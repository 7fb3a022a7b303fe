"""What `kubectl describe` prints: for each kind a pure function of the object and of what was asked beside it.

`kinds` is the table, `asking` gets from the server what each kind wants to see, `writing` is what all are made of.
"""
