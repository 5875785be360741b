"""These modules are plugins that break: tests install them, pytest itself must not import them."""

collect_ignore_glob = ["*.py"]
