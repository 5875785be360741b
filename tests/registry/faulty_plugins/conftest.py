"""These modules are plugins whose models or handlers fail: tests install them, pytest itself must not import them."""

collect_ignore_glob = ["*.py"]
