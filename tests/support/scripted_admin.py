"""A scripted server of the administrative protocol: the replies are gearmand's."""

from support.scripted_server import Peer

REPLIES = {
    b"status\n": b"reverse\t3\t1\t2\n.\n",
    b"prioritystatus\n": b"reverse\t1\t2\t3\t4\n.\n",
    b"workers\n": b"38 127.0.0.1 me : reverse\n39 ::1 - :\n.\n",
    b"show jobs\n": b"H:1\t0\t0\t1\n.\n",
    b"show functions\n": b"reverse\t3\t1\t2\t99\t1500\n.\n",
    b"show counters\n": b"reverse\tqueued_high=3\tcompleted=99\tdreamt=7\n.\n",
    b"show unique jobs\n": b"u\n\n.\n",
    b"version\n": b"OK 1.1.20+ds\n",
    b"verbose\n": b"OK ERROR\n",
    b"getpid\n": b"OK 123\n",
    b"cancel job H:1\n": b"OK\r\n",
    b"cancel job H:2\n": b"ERR UNKNOWN_JOB\r\n",
    b"create function f\r\n": b"OK\r\n",
    b"drop function f\n": b"OK\r\n",
    b"drop function busy\n": b"ERR there are still connected workers or executing clients\r\n",
    b"maxqueue f 5\n": b"OK\r\n",
    b"jobtimeout f 60\n": b"OK\r\n",
    b"joblog f on\n": b"OK\r\n",
    b"acl list\n": b"me\tregister=.*\tinvoke=None\tgrant=True\tadmin=False\tsee=True\n.\n",
    b"acl grant see you\n": b"OK\n",
    b"acl grant invoke you f.*\n": b"OK\n",
    b"acl revoke all you\n": b"OK\n",
    b"acl self-revoke see\n": b"OK\n",
    b"drop function silence\n": b"",
}


def admin(peer: Peer, message: object) -> None:
    """Answer a command, in pieces, or break the connection over one that is not in the script."""
    if not isinstance(message, bytes) or message not in REPLIES:
        raise ConnectionResetError("not in the script")
    for byte in REPLIES[message]:
        peer.sock.sendall(bytes([byte]))


FORGED = {
    b"status\n": b"\x1b[2J\nreverse\t3\t1\t2\nforged\t" + b"9" * 5000 + b"\t0\t0\n.\n",
    b"prioritystatus\n": b"forged\nreverse\t1\t2\t3\t4\n.\n",
    b"workers\n": b"38 127.0.0.1 me : reverse\nforged\n.\n",
    b"show jobs\n": b"forged\nH:1\t0\t0\t1\n.\n",
}


def forged(peer: Peer, message: object) -> None:
    """Answer with tables into which a client of the server has written."""
    if isinstance(message, bytes):
        peer.sock.sendall(FORGED[message])


def old(peer: Peer, message: object) -> None:
    """Refuse every command, as a server that does not know it."""
    peer.sock.sendall(b"ERR UNKNOWN_COMMAND Unknown+server+command\r\n")


def denying(peer: Peer, message: object) -> None:
    """Have no access control list; its errors end as in gear 0.16."""
    peer.sock.sendall(b"ERR ACL_DISABLED\n")
