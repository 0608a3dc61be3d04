"""What httpx's clients take as `verify` where tests speak plain HTTP."""

import ssl
from typing import Final

# By default each client reads the system's trusted authorities, which takes longer than most tests.
TRUSTS_NOBODY: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
