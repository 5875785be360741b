"""The conformance kit for authors of models: the contract of every model as checks that pytest can collect.

Examples
--------
In a plugin's tests, each check separately::

    @pytest.mark.parametrize(("name", "check"), checks(MyModel, epochs=2))
    def test_it_conforms(name, check):
        check()

or all of them at once: ``check_model(MyModel, epochs=2)``. An installed model is checked in a shell by its name:
``python -m anomalo.testing my_model epochs=2``.
"""

from anomalo.testing.checks import check_model, checks
from anomalo.testing.tables import tables

__all__ = ["check_model", "checks", "tables"]
