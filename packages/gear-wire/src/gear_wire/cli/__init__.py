"""What the command lines of client, worker and admin share; needs the extra ``cli``.

Nothing but those command lines imports it: a library alone brings neither click nor rich.
"""
