"""What msgspec's decoders raise for untrusted bytes."""

from typing import Final

import msgspec

# Of another shape, invalid UTF-8, or nested too deeply.
UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
