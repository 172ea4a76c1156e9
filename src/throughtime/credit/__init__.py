"""How credit travels back through a circuit and through time."""
