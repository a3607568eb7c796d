"""`learnupon-sync emulator`: serves both emulators on loopback until it is stopped; all work is in `etl.emulator`."""

from __future__ import annotations

import errno

import click

from etl.emulator.serve import serve
from etl.errors import UsageFault

_PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--learners", type=click.IntRange(0), default=200, show_default=True, help="Learners over all portals.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same world.")
@click.option("--port-learnupon", type=_PORT, default=0, metavar="P", help="Port of LearnUpon; 0: any free one.")
@click.option("--port-salesforce", type=_PORT, default=0, metavar="P", help="Port of Salesforce; 0: any free one.")
def command(learners: int, seed: int, port_learnupon: int, port_salesforce: int) -> int:
    """Serve an emulated LearnUpon and an emulated Salesforce on this machine, until Ctrl-C or SIGTERM.

    Once both answer, one JSON line on standard output says where they are, with which credentials, and where a
    configuration file is that works as it is. Nothing but invented people is in them.
    """
    try:
        return serve(learners=learners, seed=seed, port_learnupon=port_learnupon, port_salesforce=port_salesforce)
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        ports = ", ".join(str(port) for port in (port_learnupon, port_salesforce) if port)
        raise UsageFault(f"cannot serve on port {ports}: {error.strerror}; give another port, or 0 for any") from error
