"""How many descriptors a process takes for itself, and how many of them one of its servers may use."""

import subprocess
import sys

import pytest

ASK = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from services.process import descriptor_share, raise_descriptor_limit
raise_descriptor_limit()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], descriptor_share(8), descriptor_share(2))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "limit", "eighth", "half"),
    [(256, 1024, 1024, 128, 512), (64, 64, 64, 16, 32), (512, 4096, 4096, 512, 512)],
)
def test_the_limit_is_raised_and_a_server_takes_a_share(
    soft: int, hard: int, limit: int, eighth: int, half: int
) -> None:
    script = ASK.format(soft=soft, hard=hard)
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    assert [int(figure) for figure in printed.split()] == [limit, eighth, half]
