"""Where devices sit: which buses there are, which places on them are taken, and where one more can go."""
