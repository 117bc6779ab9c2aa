"""Sessions with planted waste: what was planted is known to the token, and must be found so."""
