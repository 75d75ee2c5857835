"""Documents that are made once: of a new domain, a clone, a rescue; and what seals them."""
