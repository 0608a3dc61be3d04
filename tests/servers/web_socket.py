"""WebSocket frames by hand, valid ones and others."""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode: int, payload: bytes, *, final: bool = True, mask: bytes = b"", first_bits: int = 0) -> bytes:
    """As a server sends it; with a `mask` as a client does."""
    size = len(payload)
    short = size if size < 126 else 126 if size < 2**16 else 127
    length = b"" if short < 126 else size.to_bytes(2 if short == 126 else 8)
    if mask:
        payload = mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes([(0x80 if final else 0) | first_bits | opcode, (0x80 if mask else 0) | short]) + length + payload
