"""``gear-admin top``: a live view of functions, workers and servers.

It draws with rich, which the tables of the other commands need anyway. textual would bring widgets
and a mouse for a view that has one table and a dozen keys, takes twice as long to load, and leaves
the terminal as it is when a signal ends it.
"""
