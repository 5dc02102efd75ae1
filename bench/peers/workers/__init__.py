"""One worker a peer; common.py has the protocol."""
