"""How good results are: metrics, masking mechanisms, pooled estimates and the quality of synthetic rows."""
