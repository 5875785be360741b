"""How probable rows and cells are: exact, by annealed importance sampling, and cell by cell given the others."""
