"""Imputers: column means, medians and modes, linear chained equations, forests, boosted trees and neighbours."""
