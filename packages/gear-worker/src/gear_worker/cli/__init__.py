"""The program ``gear-worker``: runs an app, or a program, as a worker; needs the extra ``cli``."""
