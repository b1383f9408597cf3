#!/usr/bin/env bash
# The door to everything about deployments: `deploy`, `rollback`, `stage`, … It is all in src/avesa/entrypoints/deployment.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The caller's Python when an environment is active, the checkout's own otherwise, the system's as the last.
python=python3
if [[ -z "${VIRTUAL_ENV:-}" && -x "${AVESA_VENV:-$root/.venv}/bin/python" ]]; then
    python="${AVESA_VENV:-$root/.venv}/bin/python"
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "error: AVESA needs Python 3.11 or newer as python3; this is $("$python" --version 2>&1 || echo none)" >&2
    exit 1
fi
PYTHONPATH="$root/src${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m avesa.entrypoints.deployment "$@"
