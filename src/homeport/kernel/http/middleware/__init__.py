"""What every request passes on its way in. Pure ASGI; only the edge wraps `send`, and only once.

An answer's extra headers go through `add_headers`: the edge writes them when the answer starts, so
that a streamed chunk costs one call, whatever stands between.
"""

from homeport.kernel.http.middleware.bodies import Bodies
from homeport.kernel.http.middleware.cors import CORS
from homeport.kernel.http.middleware.edge import Edge
from homeport.kernel.http.middleware.exchange import add_headers
from homeport.kernel.http.middleware.hosts import Hosts
from homeport.kernel.http.middleware.rates import Rates
from homeport.kernel.http.middleware.targets import Targets

__all__ = ["CORS", "Bodies", "Edge", "Hosts", "Rates", "Targets", "add_headers"]
