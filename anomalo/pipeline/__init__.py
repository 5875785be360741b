"""Schema, encoder, model and calibration together: fit, save, score, impute, repair and sample."""
