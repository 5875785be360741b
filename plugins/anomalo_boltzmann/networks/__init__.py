"""The networks themselves: units, energies, conditional distributions and Gibbs sampling."""
