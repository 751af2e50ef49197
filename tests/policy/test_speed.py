"""What the library costs those who use it: processor time, the least of several runs, for what else the machine does
only adds to it."""
import os
import subprocess

import pytest

CHECK, EXPLAIN = 1.0, 0.020  # seconds
EXPLAINED = ["rm -rf /srv/data", "git push --force origin main", "terraform destroy -auto-approve",
             "psql -h db.prod shop -c 'DELETE FROM orders'", "kubectl --context prod delete ns shop", "ls -l src",
             "curl -X DELETE https://api.stripe.com/v1/customers/1", "python3 -m pytest -q", "npx prisma migrate reset",
             "ssh prod 'cd /srv && sudo rm -rf data'"]


def seconds(tool, *words):
    """Processor time of one call, user and system."""
    with open(os.devnull, "w") as null:
        child = subprocess.Popen([tool.binary, *words], cwd=tool.directory, stdout=null, stderr=null)
        _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode in (0, 10, 11, 12), words
    return used.ru_utime + used.ru_stime


def test_check(tool):
    assert min(seconds(tool, "policy", "check", tool.signatures) for _ in range(3)) < CHECK


@pytest.mark.parametrize("command", EXPLAINED)
def test_explain(tool, command):
    words = ["explain", "--policy", tool.image, "--", *command.split()]
    assert min(seconds(tool, *words) for _ in range(5)) < EXPLAIN
