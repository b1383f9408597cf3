"""avesa-connectwise-simulator, in dev alone: a simulated ConnectWise site at the function's own URL."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from avesa.adapters.aws.access import AwsAccess
from avesa.bootstrap.simulated import simulated_site
from avesa.domain.names import Environment
from avesa.entrypoints.aws.answers import CHECK, checked
from avesa.simulator.functions import answer

if TYPE_CHECKING:
    from avesa.entrypoints.aws.answers import Answer, Event, LambdaContext
    from avesa.simulator.site import Site


def handler(event: Event, context: LambdaContext) -> Answer:
    """Answer an HTTP request as the simulated site does; without its keys, which follow from the token, with 401."""
    if event.get("step") == CHECK:
        return checked(context, ())
    return answer(_site(), event)


@cache
def _site() -> Site:
    """Return the site, made once for each container: all make the same one."""
    access = AwsAccess(region=os.environ["AWS_REGION"], endpoint_url=os.environ.get("AWS_ENDPOINT_URL"))
    return simulated_site(access, Environment(os.environ["AVESA_ENVIRONMENT"]))
