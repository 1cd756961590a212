"""``gear-admin``: the administrative protocol on a command line; needs the extra ``cli``."""
