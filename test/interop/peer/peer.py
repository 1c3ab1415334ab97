"""Runs one node of the real EasyTier core (PyPI: easytier-pyo3) for the tests.

One process is one node, in the network namespace it was started in. Standard input: the first line is the
configuration as JSON (the secret never appears in the argument list), then one command per line. Standard output: one
line of JSON per answer, nothing else. The node stops at the end of its input.

    {"ready": {...}}                     the node runs
    {"answer": ...} | {"error": "..."}   to each command

Commands: see COMMANDS below and README.md.
"""

import json
import os
import sys

import easytier_pyo3


def answer_stream():
    """The real standard output; whatever the library prints goes to standard error instead."""
    private = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(private, "w", buffering=1)


def plain(value):
    """JSON has no tuples, sets or bytes."""
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


COMMANDS = {
    "info": lambda node, _: node.node_info(),
    "routes": lambda node, _: node.routes(),
    "peers": lambda node, _: node.peers(),
    "table": lambda node, _: node.dump_route(),
    "metrics": lambda node, _: node.metrics(),
    "events": lambda node, _: node.events(),
    "connectors": lambda node, _: node.connectors(),
    "connect": lambda node, argument: node.add_connector(argument),
    "disconnect": lambda node, argument: node.remove_connector(argument),
    "apply": lambda node, argument: node.apply_config(argument),
    "state": lambda node, _: node.state(),
    "peer_map": lambda node, _: node.global_peer_map(),
}


def main():
    out = answer_stream()

    def say(message):
        out.write(json.dumps(message, default=plain) + "\n")

    node = easytier_pyo3.Node(json.loads(sys.stdin.readline()))
    node.start()
    say({"ready": {"pid": os.getpid(), "peer_id": node.peer_id(), "version": easytier_pyo3.version()}})
    for line in sys.stdin:
        try:
            request = json.loads(line)
            say({"answer": COMMANDS[request["command"]](node, request.get("argument"))})
        except Exception as error:  # whatever it was, the asker wants to read it
            say({"error": f"{type(error).__name__}: {error}"})
    node.stop()


if __name__ == "__main__":
    main()
