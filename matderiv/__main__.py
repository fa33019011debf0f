"""`python -m matderiv` is the command `matderiv`."""

import sys

from matderiv.cli import main

sys.exit(main())
