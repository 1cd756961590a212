"""Looks at an environment that has the client alone: it brings msgspec and nothing else."""

import importlib.metadata
import importlib.util

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
print("gear-client", gear_client.__version__)
