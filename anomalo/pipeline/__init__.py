"""Schema, encoder, model and calibration as one: fitted, saved, scored, imputed, repaired and sampled with."""
