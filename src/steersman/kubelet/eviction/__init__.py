"""A node that runs short of something: what it says, whom it refuses, what it gives up first and which pod goes then."""
