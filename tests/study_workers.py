"""Workers of the pretrained studies that train nothing; apart, so that their processes import hardly anything."""

import os
import time
from multiprocessing.connection import Connection


def answers_at_once(connection: Connection) -> None:
    """Finish every run at once, and say that it took half a minute."""
    connection.send({})
    while True:
        connection.send({**connection.recv().as_json(), "seconds": 30.0})


def dies_at_first(connection: Connection) -> None:
    """Exit with 3 where the step has 16 records; stay silent after any other run."""
    connection.send({})
    if connection.recv().setting.step == 16:
        os._exit(3)
    connection.send({"seconds": 0.0})
    time.sleep(600)


def never_answers(connection: Connection) -> None:
    """Begin, and say no more."""
    connection.send({})
    time.sleep(600)
