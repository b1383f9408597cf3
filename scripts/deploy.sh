#!/usr/bin/env bash
# The deployment guide's door: deploys an environment on AWS.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/deployment.sh" deploy "$@"
