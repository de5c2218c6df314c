"""Lend standard input, output and errors to a stage that a server forks (tests/kit/forked.py).

    forked_stage.py SOCKET STAGE [BEHAVIOUR]

It ends as the stage does; where it is killed, so is the stage. Nothing but built-in modules is
imported: a start costs 10 ms.
"""

import _socket
import array
import os
import sys

path, *arguments = sys.argv[1:]
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
server.connect(path)
request = os.fsencode("\0".join([os.getcwd(), *arguments]))  # noqa: PTH109 - pathlib costs 15 ms
lent = array.array("i", [0, 1, 2])
server.sendmsg([request], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, lent)])
for descriptor in lent:
    os.close(descriptor)
answer = server.recv(4)
status = array.array("i", answer)[0] if len(answer) == 4 else 1
if status < 0:
    os.kill(os.getpid(), -status)
os._exit(status)
