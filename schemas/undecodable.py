"""What msgspec's decoders raise for bytes that others chose."""

from typing import Final

import msgspec

# Of another shape, no UTF-8 in a text, or nested deeper than anybody means.
UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
