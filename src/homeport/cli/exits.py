"""What the exit codes mean.

| code | meaning                                                     |
|------|-------------------------------------------------------------|
| 0    | done                                                        |
| 1    | refused or failed; stderr says why                          |
| 2    | the command line is not understood                          |
| 3    | the server cannot start: settings, database, port           |
| 130  | interrupted                                                 |
"""

from __future__ import annotations

DONE = 0
FAILED = 1
USAGE = 2
CANNOT_START = 3
