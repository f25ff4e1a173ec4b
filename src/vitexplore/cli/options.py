"""Options that several commands share."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Device = Annotated[str, Parameter(env_var="VITEXPLORE_DEVICE", help="auto, cpu, cuda or cuda:1")]
Threads = Annotated[int, Parameter(show_default=False, help="of the processor, all of it if left out")]
ConfigFiles = Annotated[
    list[Path],
    Parameter(
        consume_multiple=(1, None),
        negative="",
        show_default=False,
        help="scale files, a later one over those before it; the lab if left out",
    ),
]
Config = Annotated[
    list[str],
    Parameter(
        consume_multiple=True, negative="", show_default=False, help="KEY=VALUE of the scale, over what its files say"
    ),
]
CORES = os.cpu_count() or 1
