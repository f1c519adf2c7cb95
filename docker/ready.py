"""Exit status 0 while the node of this container is ready, as /readyz says; for HEALTHCHECK."""

import os
import sys
import urllib.request

ADDRESS = os.environ.get("P2PCHAT_METRICS", "127.0.0.1:7403")

try:
    with urllib.request.urlopen(f"http://{ADDRESS}/readyz", timeout=2) as answer:
        sys.exit(0 if answer.status == 200 else 1)
except OSError as error:
    sys.exit(f"not ready: {error}")
