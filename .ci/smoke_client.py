"""Looks at an environment that has the client alone: it brings msgspec and nothing else."""

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import gear_client

names = {distribution.metadata["Name"] for distribution in importlib.metadata.distributions()}
assert names == {"gear-client", "gear-wire", "msgspec"}, names
for absent in ("gear", "gear_admin", "gear_server", "gear_worker"):
    assert importlib.util.find_spec(absent) is None, absent
job = gear_client.Job("reverse", "test string")
client = gear_client.Client()
try:
    client.submitJob(job)
except ConnectionError as error:
    assert type(error).__name__ == "NoConnectedServersError", error
client.shutdown()
program = Path(sys.executable).with_name("gear-client")
done = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
assert (done.returncode, done.stdout) == (2, ""), done
assert done.stderr == "gear-client: click is missing: pip install 'gear-client[cli]'\n", done
print("gear-client", gear_client.__version__)
