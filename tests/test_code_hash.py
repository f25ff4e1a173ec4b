"""The hash of code changes with what the code does, and with nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vitexplore import code_hash as hashing
from vitexplore.code_hash import code_files, code_hash
from vitexplore.errors import InputError

MEASURE = '''"""Measure."""

import logging

import numpy as np

from vitexplore.io import sha256
from vitexplore.progress import meter, track

log = logging.getLogger(__name__)
LEVEL = 0.9


def measure(values, level=LEVEL):
    """The share above ``level``."""
    log.info("measuring")
    found = []
    with meter("values", len(values), "values") as tell:
        for value in track(values, f"{level}: reading", len(values)):
            found.append(value > level)
            tell(1)
    return np.mean(found)
'''
TREE = {
    "vitexplore/__init__.py": "",
    "vitexplore/io.py": "BLOCK = 1\n",
    "vitexplore/progress.py": "EVERY = 10\n",
    "vitexplore/scale.py": "OPTIONS = 1\n",
    "vitexplore/data/__init__.py": "",
    "vitexplore/data/images.py": "from . import shapes\n",
    "vitexplore/data/shapes.py": "SIDES = 3\n",
    "vitexplore/measures/__init__.py": "",
    "vitexplore/measures/shares.py": MEASURE,
    "vitexplore/measures/other.py": "from vitexplore import progress\n\nOTHER = 1\n",
    "vitexplore/figures/__init__.py": "",
    "vitexplore/figures/plots.py": "LEGEND = 'share'\n",
    "vitexplore/claims/__init__.py": "",
    "vitexplore/claims/decide.py": "from vitexplore.io import BLOCK\nfrom vitexplore.figures import plots\n",
    "vitexplore/experiments/__init__.py": """
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitexplore.scale import OPTIONS


class Experiment: ...
""",
    "vitexplore/experiments/shares.py": """
from vitexplore.experiments import Experiment
from vitexplore.figures import plots


def measure(model, loader):
    from vitexplore.data import images
    from vitexplore.measures.shares import measure

    return measure(loader.of(images))
""",
    "vitexplore/experiments/other.py": "import vitexplore.measures.other\n",
    "analysis.py": "from vitexplore.claims.decide import BLOCK\n",
}
FOLDERS = ("measures", "experiments")
MODULES = ["measures.shares", "measures.other", "experiments.shares", "experiments.other", "claims.decide", "analysis"]


@pytest.fixture
def hashes(tmp_path, monkeypatch):
    """A function of a file of TREE and what stands in it instead, that gives the hash of each of MODULES."""

    def of(path: str | None = None, text: str = "") -> dict[str, str]:
        shutil.rmtree(tmp_path)
        for read_before in (hashing._meaning, hashing._imported):
            read_before.cache_clear()
        for name, content in (TREE | ({path: text} if path else {})).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        return {name: code_hash(tmp_path / "analysis.py" if name == "analysis" else name) for name in MODULES}

    monkeypatch.setattr(hashing, "PACKAGE", tmp_path / "vitexplore")
    return of


def edited(old: str, new: str) -> str:
    assert old in MEASURE
    return MEASURE.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Measure."""', '"""Count."""'),
        ('    """The share above ``level``."""\n', ""),
        ("LEVEL = 0.9", "# of all\nLEVEL = (\n    0.90\n)  # set by the paper"),
        ('"measuring"', '"measuring %d", len(values)'),
        ('    log.info("measuring")\n', ""),
        ("found = []", 'found = []\n    log.warning("slow")'),
        ('import logging\n\nimport numpy as np', "import numpy as np"),
        ("log = logging.getLogger(__name__)", 'log = logging.getLogger("shares")'),
        ('meter("values"', 'meter("numbers"'),
        ('len(values), "values")', '2 * len(values), "numbers")'),
        ("{level}: reading", "reading"),
        ('track(values, f"{level}: reading", len(values))', "values"),
        ("            tell(1)\n", ""),
        ("LEVEL = 0.9", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import x\nLEVEL = 0.9"),
    ],
)  # fmt: skip
def test_no_hash_changes_with(hashes, old, new):
    assert hashes("vitexplore/measures/shares.py", edited(old, new)) == hashes()


def test_a_log_line_in_place_of_pass_changes_nothing(hashes):
    silent = edited(
        "    found = []\n", "    found = []\n    try:\n        found += values\n    except OSError:\n        pass\n"
    )
    path = "vitexplore/measures/shares.py"
    assert hashes(path, silent.replace("pass\n", 'log.warning("no values")\n')) == hashes(path, silent)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.9", "0.8"),
        ("level=LEVEL", "level=0.9"),
        ("found = []", "found = []\n    values = sorted(values)"),
        ("value > level", "value >= level"),
        ("track(values,", "track(values[1:],"),
        ("            tell(1)\n", "            count(1)\n"),
        ("    return", "    tell(1)  # of a meter no more\n    return"),
        ("np.mean(found)", 'np.mean(found, "log")'),
        ('log.info("measuring")', 'found.info("measuring")'),
        ("import numpy as np", "import cupy as np"),
        ("from vitexplore.io import sha256", "from vitexplore.measures.other import sha256"),
    ],
)
def test_hash_of_what_reads_it_changes_with(hashes, old, new):
    before, after = hashes(), hashes("vitexplore/measures/shares.py", edited(old, new))
    assert {name for name in MODULES if before[name] != after[name]} == {"measures.shares", "experiments.shares"}


@pytest.mark.parametrize(
    ("path", "readers"),
    [
        ("vitexplore/io.py", {"measures.shares", "experiments.shares", "claims.decide", "analysis"}),
        ("vitexplore/measures/other.py", {"measures.other", "experiments.other"}),
        ("vitexplore/data/shapes.py", {"experiments.shares"}),  # imported in a function, then relatively
        ("vitexplore/figures/plots.py", {"claims.decide", "analysis"}),
        ("vitexplore/figures/__init__.py", {"claims.decide", "analysis"}),
        ("vitexplore/progress.py", set()),
        ("vitexplore/scale.py", set()),  # imported for type checkers alone
        ("vitexplore/experiments/__init__.py", {"experiments.shares", "experiments.other"}),
        ("vitexplore/measures/__init__.py", {f"{of}.{name}" for of in FOLDERS for name in ("shares", "other")}),
        ("vitexplore/__init__.py", set(MODULES)),
        ("vitexplore/experiments/other.py", {"experiments.other"}),
        ("analysis.py", {"analysis"}),
    ],
)  # fmt: skip
def test_a_changed_module_changes_the_hash_of_those_that_import_it(hashes, path, readers):
    before, after = hashes(), hashes(path, TREE[path] + "\nMORE = 1\n")
    assert {name for name in MODULES if before[name] != after[name]} == readers


def test_a_file_of_the_package_is_the_module_of_that_name(hashes, tmp_path):
    before = hashes()
    assert code_hash(tmp_path / "vitexplore/experiments/shares.py") == before["experiments.shares"]
    assert code_hash(tmp_path / "vitexplore/experiments/__init__.py") == code_hash("experiments")


def test_asked_again_it_is_the_same(hashes, tmp_path):
    first = hashes()
    assert {name: code_hash(tmp_path / "analysis.py" if name == "analysis" else name) for name in MODULES} == first


def test_no_such_module():
    with pytest.raises(InputError, match=r"no code measures\.nothing"):
        code_hash("measures.nothing")
    with pytest.raises(InputError, match=r"no code nothing\.py"):
        code_hash(Path("nothing.py"))


def test_code_of_this_package():
    names = {file.relative_to(hashing.PACKAGE).as_posix() for file in code_files("measures.locality")}
    assert {"measures/locality.py", "models/sites.py", "models/registry.py", "data/loading.py"} <= names
    assert not {"measures/background.py", "visualize/optimize.py", "progress.py", "figures/plots.py"} & names
    assert code_hash("measures.locality") != code_hash("measures.background")


def test_needs_no_torch():
    program = "import sys, vitexplore.code_hash as hashing; hashing.code_hash('models.registry'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "torch" not in loaded
