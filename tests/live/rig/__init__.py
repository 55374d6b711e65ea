"""The fault rig: real workers and ASGI servers, to be killed, frozen and started again, and pages without a browser.

``Rig`` is what the processes of one test, or of one session, share; ``ServerProcess`` is one of them, ``Page`` is
somebody who looks. Redis is ``example_project.embedded_redis``'s (fixture ``own_redis``). All waits have a deadline,
and every process ends with the test run, however that ends (``example_project.leash``).
"""

from __future__ import annotations

from tests.live.rig.page import Page
from tests.live.rig.processes import ServerProcess
from tests.live.rig.setup import Rig
from tests.live.rig.site import Site

__all__ = ["Page", "Rig", "ServerProcess", "Site"]
