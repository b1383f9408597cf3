#!/usr/bin/env bash
# Deploys an earlier release again: the last good one, or the one that --to names; --functions-only leaves all else.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/deployment.sh" rollback "$@"
