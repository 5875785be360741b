"""One numerical thread a process in tests, which run in several processes already.

Threads that wait for each other spin at first; where there are more threads than processors, that takes the time of
those that they wait for.
"""

import os

# Numpy and torch read these when they are imported.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
