"""How rows look to the networks: numbers, modes of numbers and one-hot codes."""
