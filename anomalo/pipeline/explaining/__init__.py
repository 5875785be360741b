"""Why a row is anomalous: contributions, reasons, and what its cells should have been."""
