"""The analysts' dashboard: runs, alerts, repairs and models in a browser, on this machine."""
