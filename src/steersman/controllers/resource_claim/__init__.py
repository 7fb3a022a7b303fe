"""ResourceClaims: made from templates, freed when nobody uses them."""
