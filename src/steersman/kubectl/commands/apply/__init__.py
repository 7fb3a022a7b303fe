"""`apply` and what belongs to it: objects are made to be what files say, here (three versions, one patch) or by the server."""
