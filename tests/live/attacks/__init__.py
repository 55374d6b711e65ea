"""A site on which every text is an attack."""
