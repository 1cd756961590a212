"""What both ends of Gearman share: packets, framing, the text protocol, exceptions, connections.

The package loads nothing by itself: import from its modules.
"""
