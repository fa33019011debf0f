"""`python -m matderiv` is the command `matderiv`."""

import sys

from matderiv.commands import main

sys.exit(main())
