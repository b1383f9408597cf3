"""`python -m avesa.simulator`: the simulator without the rest of the product."""

from __future__ import annotations

import argparse

from avesa.simulator.runner import parse_sizes, run


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m avesa.simulator", description="Serve a simulated ConnectWise site."
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same data and credentials")
    parser.add_argument("--companies", type=int, default=3)
    parser.add_argument("--sizes", type=parse_sizes, default={}, help="such as tickets=8000,time_entries=6000")
    parser.add_argument("--profile", choices=("normal", "hostile"), default="normal")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.add_argument("--certificate", help="PEM file; turns TLS on")
    parser.add_argument("--key", help="PEM file of the certificate's key")
    run(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
