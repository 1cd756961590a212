"""The program ``gear-client``: jobs from the command line; needs the extra ``cli``."""
