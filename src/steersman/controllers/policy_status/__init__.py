"""Tell the writer of a ValidatingAdmissionPolicy which of its expressions do not fit the kinds it is about."""
