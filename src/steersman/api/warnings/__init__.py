"""What the API server warns of when an object is written that is valid, but hardly what was meant (`Kind.warnings`). Pure."""
